"""Text files as notes: subject from the first line that says something, body from the rest."""

import codecs
import re
from dataclasses import dataclass

from schemas.note import MAX_SUBJECT

_HEADING = "#"
MOST_NULLS = 10
"""Of more signs than these one may be a NUL: UTF-16 without its mark has one of two."""
_CONTROL = re.compile("[\x01-\x08\x0e-\x19\x1c-\x1f]")
"""What no text has, and a program, a picture or an archive does."""


@dataclass(frozen=True, slots=True)
class TextFile:
    """What a text or Markdown file says; a file of one line has it as subject and as body."""

    subject: str
    body: str


def parse(content: bytes) -> TextFile:
    """The text in a file's bytes: UTF-8 (with or without its mark), UTF-16 with its mark, or else
    the Windows encoding of older exports.

    Raises ValueError, in French, where there is no text in them.
    """
    text = _decode(content)
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        subject = line.strip().lstrip(_HEADING).strip()
        if subject:
            rest = "".join(lines[number:]).strip("\r\n")
            whole = len(subject) > MAX_SUBJECT or not rest.strip()
            return TextFile(subject=subject[:MAX_SUBJECT], body=text if whole else rest)
    raise ValueError("le fichier ne contient pas de texte")


def readable(text: str) -> str | None:
    """What was decoded, without its NULs; None where these show that it is no text.

    A few among readable signs are an accident of whoever wrote it.
    """
    nulls = text.count("\0")
    if nulls and (nulls * MOST_NULLS >= len(text) or _CONTROL.search(text)):
        return None
    return text.replace("\0", "")


def _decode(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        found = readable(text)
        if found is None:
            break
        return found
    raise ValueError("le fichier n'est pas un texte lisible")

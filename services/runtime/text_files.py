"""Text files as notes: subject from the first line that says something, body from the rest."""

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

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


def read(path: Path) -> TextFile:
    """The text of a file. Raises OSError where it cannot be read, ValueError as `parse`."""
    return parse(path.read_bytes())


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


def is_binary(text: str) -> bool:
    """Whether NULs in what was decoded show that it is no text.

    A few among readable signs are an accident of whoever wrote it: they are left out.
    """
    nulls = text.count("\0")
    return nulls > 0 and (nulls * MOST_NULLS >= len(text) or _CONTROL.search(text) is not None)


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
        if is_binary(text):
            break
        return text.replace("\0", "")
    raise ValueError("le fichier n'est pas un texte lisible")

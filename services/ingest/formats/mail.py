"""Mails saved as files: the message's own text, and what was attached to it."""

import email.errors
import email.header
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime

from services.ingest.formats import beside, headers, html, kinds
from services.ingest.formats.model import MOST_NAMES, Content, Held, Refused, damaged
from services.ingest.formats.text import one_line, tidy

MOST_PARTS = 500
"""Of one mail, those within its parts counted."""
_OF_DOMAINS = ("punycode", "idna")
"""Codecs of Python's that no mail is written in, and that take the square of its length."""
_FORWARDED = re.compile(r"^(?:(?:tr|re|ré|fwd?|réf)\s*:\s*)+", re.I)
_FLOWED = re.compile(r"(?<=\S) \n(?=[^\s>-])")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a mail, in a format that is read."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail: its text (None where it has none) and the attachments to read; for the marks of
    protection alone, other forms of its text (`lines`), and its headers (`beside`)."""

    content: Content | None
    attachments: tuple[Attachment, ...]
    lines: str
    beside: str


def read(data: bytes) -> Mail:
    """The mail in a file. Raises Refused."""
    try:
        message = headers.parsed(data)
        parts = list(_parts(message))
        every = list(_parts(message, every=True))
    except RecursionError as error:
        raise headers.too_nested() from error
    if not message.keys():
        raise damaged("EML")
    texts: list[Message] = []
    read_too: list[Attachment] = []
    names: list[str] = []
    held: list[Held] = []
    for number, part in enumerate(parts):
        media_type = part.get_content_type()
        name = _name(part)
        attached = "attachment" in str(part.get("Content-Disposition", "")).lower()
        if media_type in ("text/plain", "text/html") and not attached and not name:
            texts.append(part)
        elif media_type == "message/rfc822":
            name = f"{name.removesuffix('.eml') or f'message-{number}'}.eml"
            read_too.append(Attachment(name, media_type, _bytes(part)))
        elif (name or attached) and kinds.known(name, media_type):
            shown = name or f"piece-{number}"
            read_too.append(Attachment(shown, media_type, _bytes(part)))
        else:
            held.append(Held(name, _bytes(part)))
            if name and not _is_picture_in_text(part):
                names.append(name[:200])
    return Mail(
        _content(message, texts, tuple(names[:MOST_NAMES]), tuple(held)),
        tuple(read_too),
        lines=beside.joined(_other_forms(every, {id(part) for part in texts})),
        beside=beside.joined((*_headers(every), *(name.rpartition(".")[0] for name in names))),
    )


def _headers(parts: Sequence[Message]) -> Iterator[str]:
    """The headers of a mail and of its parts, their names among them."""
    for part in parts:
        for value in part.values():
            yield from beside.of_property(_FORWARDED.sub("", one_line(_words(str(value)))))
        yield from filter(None, (part.preamble, part.epilogue))


def _other_forms(parts: Sequence[Message], read: set[int]) -> Iterator[str]:
    """The texts of a mail that are not read, as another form of them is."""
    for part in parts:
        if id(part) not in read and _is_page(part):
            yield from html.all_lines(html.decoded(_bytes(part), _charset(part) or "utf-8"))


def _content(
    message: Message,
    texts: Sequence[Message],
    attachments: tuple[str, ...],
    held: tuple[Held, ...],
) -> Content | None:
    # Several where the writer put a picture or a file between two paragraphs.
    text = "\n\n".join(filter(None, map(_text, texts)))
    if not text:
        return None
    fields = {}
    if day := _day(message):
        fields["date"] = day
    subject = _FORWARDED.sub("", one_line(_header(message, "Subject")))
    return Content(text=text, title=subject, fields=fields, attachments=attachments, held=held)


def _parts(message: Message, *, every: bool = False) -> Iterator[Message]:
    """The parts that hold something, each attached mail as one; of two forms of a text the plain
    one. With `every`, all forms, and what holds them."""
    count = 0
    waiting = [(message, False)]
    while waiting:
        part, plain_too = waiting.pop()
        count += 1
        if count > MOST_PARTS:
            raise Refused(413, f"Le courriel a plus de {MOST_PARTS} parties : le partager.")
        inside = part.get_payload()
        if part.get_content_type() == "message/rfc822" or not isinstance(inside, list):
            if every or not (plain_too and _is_page(part)):
                yield part
        else:
            if every:
                yield part
            plain_too = plain_too or _has_plain(part, inside)
            waiting += [(each, plain_too) for each in reversed(inside) if isinstance(each, Message)]


def _has_plain(part: Message, inside: Sequence[object]) -> bool:
    """Whether a part gives the same text in several forms, a plain one among them."""
    return part.get_content_type() == "multipart/alternative" and any(
        isinstance(each, Message) and each.get_content_type() == "text/plain" and _plain(each)
        for each in inside
    )


def _is_page(part: Message) -> bool:
    return part.get_content_type() == "text/html" and not _name(part)


def _plain(part: Message) -> str:
    text = html.decoded(_bytes(part), _charset(part) or "utf-8") if _bytes(part) else ""
    text = text.replace("\r\n", "\n")
    if str(part.get_param("format", "")).lower() == "flowed":
        text = _FLOWED.sub(" ", text)
    return tidy(text)


def _text(part: Message) -> str:
    if part.get_content_type() == "text/plain":
        return _plain(part)
    return html.read(_bytes(part) or b" ", article=False, charset=_charset(part)).text


def _bytes(part: Message) -> bytes:
    inside = part.get_payload()
    if isinstance(inside, list):  # a mail in a mail
        return inside[0].as_bytes() if inside and isinstance(inside[0], Message) else b""
    decoded = part.get_payload(decode=True)
    return decoded if isinstance(decoded, bytes) else b""


def _charset(part: Message) -> str:
    try:
        return str(part.get_content_charset() or "")
    except (LookupError, ValueError):
        return ""


def _name(part: Message) -> str:
    try:
        return one_line(_words(part.get_filename() or ""))
    except (LookupError, ValueError, TypeError):
        return ""


def _header(message: Message, name: str) -> str:
    return _words(str(message.get(name, "")))


def _words(value: str) -> str:
    """A header with its encoded words decoded."""
    try:
        found = email.header.decode_header(value)
        if any(charset in _OF_DOMAINS for _, charset in found):
            return value
        return str(email.header.make_header(found))
    except (LookupError, ValueError, email.errors.MessageError):
        return value


def _day(message: Message) -> str:
    try:
        return parsedate_to_datetime(str(message.get("Date", ""))).date().isoformat()
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""


def _is_picture_in_text(part: Message) -> bool:
    return part.get_content_maintype() == "image" and part.get("Content-ID") is not None

"""Mails saved as files: the message's own text, and what was attached to it."""

import email.errors
import email.header
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from email.message import Message
from email.utils import parsedate_to_datetime

from services.ingest.formats import beside, encrypted, forwards, headers, html, kinds
from services.ingest.formats.model import MOST_NAMES, Content, Held, Refused, damaged
from services.ingest.formats.text import one_line, tidy

MOST_PARTS = 500
"""Of one mail, those within its parts counted."""
_OF_DOMAINS = ("punycode", "idna")
"""Codecs of Python's that no mail is written in, and that take the square of its length."""
_MAILS = ("message/rfc822", "message/global")
_AS_IT_IS = ("", "7bit", "8bit", "binary")
_ENCODINGS = (*_AS_IT_IS, "base64", "quoted-printable", "x-uuencode", "uuencode", "uue", "x-uue")
_WORD = re.compile(r"\s*[\w-]+")
_UUENCODED = re.compile(rb"^begin [0-7]{3,4} \S", re.M)
_FORWARDED = re.compile(r"^\s*(?:(?:tr|re|ré|fwd?|réf|wg|aw|rv|sv|vs)\s*:\s*)+", re.I)
_FLOWED = re.compile(r"(?<=\S) \n(?=[^\s>-])")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a mail, in a format that is read."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail: its text (None where it has none and brings nothing; empty where it only brings
    something) and the attachments to read; for the marks of protection alone, other forms of its
    text (`lines`), and its headers (`beside`)."""

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
    encrypted.check_mail(message, parts)
    shown = {id(part) for part in parts}
    pages = {
        id(part): _read_page(part) if id(part) in shown else _read_form(part)
        for part in every
        if _is_page(part)
    }
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
        elif _is_mail(part):
            name = f"{name.removesuffix('.eml') or f'message-{number}'}.eml"
            read_too.append(Attachment(name, "message/rfc822", _bytes(part)))
        elif (name or attached) and kinds.known(name, media_type):
            called = name or f"piece-{number}"
            read_too.append(Attachment(called, media_type, _bytes(part)))
        else:
            held.append(Held(name or _name_by_type(media_type), _bytes(part)))
            if name and not _is_picture_in_text(part):
                names.append(name[:200])
    content: Content | None = _content(
        message, texts, pages, tuple(names[:MOST_NAMES]), tuple(held)
    )
    if content is not None and not content.text and not read_too:
        content = None
    if content is not None and (
        any(map(_is_encoded, every)) or any(page.unseen for page in pages.values())
    ):
        content = replace(content, unseen=True)
    return Mail(
        content,
        tuple(read_too),
        lines=beside.joined(page.lines for page in pages.values()),
        beside=beside.joined(
            (
                *_headers(every),
                *(name.rpartition(".")[0] for name in names),
                *(page.beside for page in pages.values()),
            )
        ),
    )


def _headers(parts: Sequence[Message]) -> Iterator[str]:
    """The headers of a mail and of its parts, their names among them."""
    for part in parts:
        for value in part.values():
            yield from beside.of_property(_FORWARDED.sub("", one_line(_words(str(value)))))
        yield from filter(None, (part.preamble, part.epilogue))


def _content(
    message: Message,
    texts: Sequence[Message],
    pages: Mapping[int, Content],
    attachments: tuple[str, ...],
    held: tuple[Held, ...],
) -> Content:
    # Several where the writer put a picture or a file between two paragraphs.
    text = "\n\n".join(filter(None, (_text(part, pages) for part in texts)))
    subject = one_line(_header(message, "Subject"))
    found = forwards.forwarded(text, subject)
    day = found.date if found and found.date else _day(message)
    return Content(
        text=found.text if found else text,
        title=_FORWARDED.sub("", (found.subject if found else "") or subject),
        fields={"date": day} if day else {},
        attachments=attachments,
        held=held,
        lines=text if found else "",
        forwarded=found is not None,
    )


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
        if _is_mail(part) or not isinstance(inside, list):
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


def _text(part: Message, pages: Mapping[int, Content]) -> str:
    page = pages.get(id(part))
    return _plain(part) if page is None else page.text


def _read_page(part: Message) -> Content:
    return html.read(_bytes(part) or b" ", article=False, charset=_charset(part))


def _read_form(part: Message) -> Content:
    """Another form of a text that is read; of one that cannot be, nobody knows what it says."""
    try:
        return _read_page(part)
    except Refused:
        return Content(text="", unseen=True)


def _is_mail(part: Message) -> bool:
    """Whether a part is a mail; one that is encoded, which no part with a message may be
    (RFC 2046, 5.2), is read as an attachment too."""
    if part.get_content_type() in _MAILS:
        return True
    return part.get_content_maintype() == "message" and _encoding(part) not in _AS_IT_IS


def _name_by_type(media_type: str) -> str:
    """A name for a part that has none, so that it is read as nothing but what it is."""
    return (
        "" if media_type == "application/octet-stream" else f"piece.{media_type.rpartition('/')[2]}"
    )


def _is_encoded(part: Message) -> bool:
    """Whether a part is in an encoding, or its text in characters, that nobody here reads."""
    charset = _charset(part)
    if _encoding(part) not in _ENCODINGS or (charset and not html.is_of_pages(charset)):
        return True
    return (
        part.get_content_maintype() == "text"
        and b"begin " in (text := _bytes(part))
        and (_UUENCODED.search(text) is not None)
    )


def _encoding(part: Message) -> str:
    """The encoding of a part's transfer, comments and what else stands behind its name left
    out."""
    found = _WORD.match(str(part.get("Content-Transfer-Encoding", "")))
    return found[0].strip().lower() if found else ""


def _bytes(part: Message) -> bytes:
    inside = part.get_payload()
    if isinstance(inside, list):  # a mail in a mail
        return inside[0].as_bytes() if inside and isinstance(inside[0], Message) else b""
    if "Content-Transfer-Encoding" in part:
        part.replace_header("Content-Transfer-Encoding", _encoding(part))
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

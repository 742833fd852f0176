"""The documents in a file: what it is, what it holds, what each says."""

import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TypeGuard
from zipfile import ZipInfo

from schemas.marks import CLASSIFIED, NONE, Marks
from schemas.note import MAX_BODY, MAX_SUBJECT
from services.ingest.formats import (
    archive,
    covers,
    docx,
    head,
    html,
    kinds,
    mail,
    odt,
    pdf,
    plain,
    within,
)
from services.ingest.formats.model import (
    MAX_FILE_BYTES,
    MAX_UNPACKED_BYTES,
    Content,
    Document,
    Held,
    Refused,
    Unreadable,
    check,
    places_of,
)
from services.ingest.formats.text import one_line, tidy
from services.runtime import marked_passages, marks
from services.runtime.marks import Text, of_name

logger = logging.getLogger(__name__)

DEEPEST = 3
"""Files within files: a mail in a mail in an archive. What is deeper hides more than it sends."""
MOST_DOCUMENTS = 2_000
"""Of one file, mails within archives counted: as many as an archive may have entries."""
LONG_SUBJECT = 300
"""Characters up to which a document's first line can be its subject; of a longer one, as many."""
MOST_STEPS = 20
"""Folders of a name that are kept: each is looked up for each document."""
LONG_NAME = 200
"""Characters of a file's name, and of each folder's, that are kept."""
NOT_OURS = 415
"""The status of a file in a format that is not read."""
_NO_TEXT = "Le document ne contient pas de texte."
_UNWANTED_IN_NAMES = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LEFT_BY_SYSTEMS = re.compile(
    r"(?:^|/)(?:__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|~\$|\.~)", re.I
)

_LITTER = re.compile(
    rb"\0\x05\x16\x07.{0,65536}|\0\0\0\x01Bud1.{0,262144}|[\x01-\x36][^\0]{1,54}\0.{0,200}", re.S
)
"""What systems leave: attributes of a Mac's files, views of its folders; who has a text open."""


@dataclass(frozen=True, slots=True)
class Part:
    """One document still to be read; `content`: of a mail, which was read to find its parts;
    `seen`: the marks of what it lies in, and of a mail its own; `depth`: how many documents it lies
    in that are no mail or archive; `unseen`: nobody could look into all that lies in it;
    `accompanies`: a mail that only brings what is attached."""

    name: str
    kind: str
    data: bytes
    content: Content | None = None
    seen: Marks = NONE
    depth: int = 0
    unseen: bool = False
    accompanies: bool = False


@dataclass
class _Budget:
    left: int = MAX_UNPACKED_BYTES

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise Refused(413, archive.TOO_LARGE)


def extract(data: bytes, name: str, media_type: str | None = None) -> list[Document | Unreadable]:
    """The documents in a file, in its order: one, or those of an archive or a mail. Never empty.

    The format is known by the content first, then by the name, then by the media type. Raises
    nothing: what cannot be read is an `Unreadable`, alone.
    """
    return complete([read(part) for part in parts(data, name, media_type)])


def parts(data: bytes, name: str, media_type: str | None = None) -> Iterator[Part | Unreadable]:
    """What `extract` reads, before it is read: each document of a file. Raises nothing."""
    name = harmless(name)
    if len(data) > MAX_FILE_BYTES:
        most = MAX_FILE_BYTES // 1024 // 1024
        yield Unreadable(name, 413, f"Le fichier dépasse {most} Mio : le réduire ou le partager.")
        return
    count = 0
    for part in _unpacked(data, name, media_type, (), _Budget()):
        count += 1
        if count > MOST_DOCUMENTS:
            yield Unreadable(
                name, 413, f"Le fichier a plus de {MOST_DOCUMENTS} documents : le partager."
            )
            return
        yield part
    if not count:
        yield Unreadable(name, 422, "Le fichier ne contient aucun document.")


def read(part: Part | Unreadable) -> Document | Unreadable:
    """One document of a file. Raises nothing."""
    if isinstance(part, Unreadable):
        return part
    try:
        return _document(part)
    except Refused as refused:
        return refused.of(part.name)
    except Exception as error:  # whatever its parser did not foresee
        return _unforeseen(part.name, error)


def complete(found: list[Document | Unreadable]) -> list[Document | Unreadable]:
    """Return the documents of a file, each mail under the marks of all that lies in it too.

    Its bytes, which are kept as an original, hold what was attached. A mail with a classified
    document in it is refused itself. One that only accompanies what it brings is told with that.
    """
    inside: dict[str, list[Document | Unreadable]] = defaultdict(list)
    for before, each in pairwise([None, *found]):
        assert each is not None
        for place in _places_of(each):
            inside[place].append(each)
        if before is not None and before.name.startswith(f"{each.name}/"):
            # Reading ended there: of the mails round the last document the rest is not known.
            for place in places_of(f"{before.name}/" if _is_mail(before) else before.name):
                inside[place].append(each)
    return covers.told_with_what_they_bring(
        [
            _holding(each, inside[each.name])
            if isinstance(each, Document) and each.name in inside
            else each
            for each in found
        ]
    )


def _places_of(each: Document | Unreadable) -> Iterator[str]:
    """The names of what a document may lie in; of one that was not read, also its own: the rest of
    a mail, say, whose reading was cut short."""
    if isinstance(each, Unreadable):
        yield each.name
    yield from places_of(each.name)


def _holding(document: Document, inside: Sequence[Document | Unreadable]) -> Document | Unreadable:
    held = document.marks
    for each in inside:
        if isinstance(each, Unreadable) and each.classified:
            return _classified(document.name)
        held |= each.marks | of_name(each.name)
        if isinstance(each, Document):
            # Whoever may not see one of its passages may not see them in the bytes of the mail.
            held |= marked_passages.look(each.subject, each.body).marks
    return replace(
        document,
        marks=held,
        unseen=document.unseen or any(each.unseen for each in inside),
        holds=(
            *document.holds,
            *(sha256(each.original).hexdigest() for each in inside if _is_read(each)),
        ),
    )


def _is_mail(each: Document | Unreadable) -> bool:
    return isinstance(each, Document) and each.media_type == kinds.MEDIA_TYPES[kinds.EML]


def _is_read(each: Document | Unreadable) -> TypeGuard[Document]:
    return isinstance(each, Document)


def harmless(name: str) -> str:
    """A file's name that leads nowhere: folders parted by `/`, no `..`, no root, no drive."""
    plain = _UNWANTED_IN_NAMES.sub("", name.replace("\\", "/"))
    steps = [step.strip()[-LONG_NAME:] for step in plain.split("/")]
    kept = [step for step in steps if step not in ("", ".", "..") and not step.endswith(":")]
    return "/".join(kept[-MOST_STEPS:]) or "document"


def _unforeseen(name: str, error: Exception) -> Unreadable:
    # Without its words: they may be the document's.
    logger.warning("a file could not be read: %s", type(error).__name__)
    return Unreadable(name, 422, "Le fichier ne peut pas être lu : l'enregistrer à nouveau.")


def _unpacked(
    data: bytes, name: str, media_type: str | None, inside: tuple[str, ...], budget: _Budget
) -> Iterator[Part | Unreadable]:
    """The documents in a file that lies in files of the kinds `inside`."""
    try:
        check(of_name(name))
        kind = kinds.kind_of(data, name, media_type)
        _check_depth(kind, inside)
        if kind == kinds.ZIP:
            yield from _archived(data, name, (*inside, kind), budget)
        elif kind == kinds.EML:
            yield from _mailed(data, name, (*inside, kind), budget)
        else:
            yield Part(name, kind, data)
    except Refused as refused:
        yield _looked_through(refused.of(name), data)
    except Exception as error:
        yield _unforeseen(name, error)


def _looked_through(refused: Unreadable, data: bytes) -> Unreadable:
    """What is not read, with the marks that are seen in it all the same."""
    if refused.status != NOT_OURS:
        return replace(refused, unseen=not kinds.is_empty(data))
    seen = within.look(refused.name, data)
    if seen.marks.classified:
        return _classified(refused.name)
    return replace(refused, marks=seen.marks, unseen=not seen.whole)


def _classified(name: str) -> Unreadable:
    return Unreadable(name, marks.STATUS, marks.DETAIL, classified=True)


def _check_depth(kind: str, inside: tuple[str, ...]) -> None:
    if kind == kinds.ZIP and kinds.ZIP in inside:
        raise Refused(422, "Une archive dans une archive n'est pas lue : l'en sortir.")
    if kind == kinds.EML and len(inside) >= DEEPEST:
        raise Refused(422, "Ce courriel est trop imbriqué : l'envoyer seul.")


def _archived(
    data: bytes, name: str, inside: tuple[str, ...], budget: _Budget
) -> Iterator[Part | Unreadable]:
    with archive.opened(data) as packed:
        on_all = check(_beside(packed.comment))
        for entry in packed.infolist():
            if _is_left_out(entry):
                continue
            entry_name = f"{name}/{harmless(entry.filename)}"
            try:
                seen = on_all | check(_beside(entry.comment))
                budget.take(entry.file_size)
                unpacked = archive.read(packed, entry)
            except Refused as refused:
                yield refused.of(entry_name)
                continue
            yield from _marked(_unpacked(unpacked, entry_name, None, inside, budget), seen)


def _is_left_out(entry: ZipInfo) -> bool:
    return entry.is_dir() or _LEFT_BY_SYSTEMS.search(entry.filename) is not None


def _in_left_out(data: bytes) -> within.Look:
    """What is seen in the entries of an archive that are left out; all of it in another file.

    What systems leave there says nothing. What only bears such a name is looked through: the mail
    that brought the archive is kept. Raises Refused where it is classified.
    """
    found = within.Look(NONE, True)
    if not data.startswith(b"PK"):
        return found
    try:
        with archive.opened(data) as packed:
            for entry in filter(_is_left_out, packed.infolist()):
                unpacked = archive.read(packed, entry)
                if _LITTER.fullmatch(unpacked) and not kinds.hides_more(unpacked):
                    continue
                seen = within.look(harmless(entry.filename), unpacked)
                found = within.Look(found.marks | seen.marks, found.whole and seen.whole)
    except Refused:
        return within.Look(found.marks, False)
    check(found.marks)
    return found


def _mailed(
    data: bytes, name: str, inside: tuple[str, ...], budget: _Budget
) -> Iterator[Part | Unreadable]:
    found = mail.read(data)
    seen = marks.found(Text(found.beside, head=True), Text(found.lines))
    seen |= marked_passages.beside(found.beside)
    if found.content is not None:
        seen |= _marks_in(found.content)
    left = [_in_left_out(attachment.data) for attachment in found.attachments]
    for each in left:
        seen |= each.marks
    check(seen)
    if found.content is not None:
        unseen = not all(each.whole for each in left)
        only = bool(found.attachments) and covers.is_cover(found.content.text)
        yield Part(name, kinds.EML, data, found.content, seen, unseen=unseen, accompanies=only)
    else:
        raise Refused(422, "Le courriel ne contient ni texte ni pièce jointe lisible.")
    for attachment in found.attachments:
        attached = f"{name}/{harmless(attachment.name)}"
        try:
            budget.take(len(attachment.data))
        except Refused as refused:
            yield refused.of(attached)
            continue
        unpacked = _unpacked(attachment.data, attached, attachment.media_type, inside, budget)
        yield from _marked(unpacked, seen)


def _marked(found: Iterator[Part | Unreadable], seen: Marks) -> Iterator[Part | Unreadable]:
    """These documents, under the marks of what holds them too."""
    for part in found:
        if isinstance(part, Unreadable):
            yield replace(part, marks=part.marks | seen)
        else:
            yield replace(part, seen=part.seen | seen)


def _document(part: Part) -> Document:
    if part.kind in (kinds.TEXT, kinds.MARKDOWN):
        fields, subject, body, guessed = _of_text(part.data)
        attachments: tuple[str, ...] = ()
        held: Marks | None = NONE
        lies_in: tuple[Held, ...] = ()
        unseen = part.unseen
        seen = check(marks.found(Text(subject, head=True), Text(body)))
    else:
        content = part.content or _READERS[part.kind](part.data)
        fields, subject, body, guessed = (_of_cover if part.accompanies else _of_content)(content)
        attachments = tuple(one_line(name)[:LONG_NAME] for name in content.attachments)
        seen = check(_marks_in(content))
        held, lies_in = _marks_held(content, part), content.held
        unseen = part.unseen or content.unseen or held is None
    if len(body) > MAX_BODY:
        raise Refused(413, f"Le texte dépasse {MAX_BODY} caractères : le partager.")
    within_text = marked_passages.look(subject, body)
    check(within_text.marks)
    seen |= within_text.of_the_whole | marked_passages.beside(_title_of(part.name))
    return Document(
        name=part.name,
        media_type=kinds.MEDIA_TYPES[part.kind],
        original=part.data,
        fields=fields,
        subject=subject,
        body=body,
        attachments=attachments,
        marks=seen | part.seen | of_name(part.name) | (held or NONE),
        unseen=unseen,
        holds=tuple(sha256(file.data).hexdigest() for file in lies_in),
        accompanies=part.accompanies,
        forwarded=part.content is not None and part.content.forwarded,
        guessed=guessed,
    )


def _marks_held(content: Content, part: Part) -> Marks | None:
    """The marks of the files in a document; None where one of them could not be looked into.

    Raises Refused where one is classified.
    """
    found: Marks | None = NONE if len(content.held) <= within.MOST_READ else None
    for file in content.held[: within.MOST_READ]:
        seen = _marks_of(f"{part.name}/{harmless(file.name)}", file.data, part.depth + 1)
        found = None if found is None or seen is None else found | seen
    return found


def _marks_in(content: Content) -> Marks:
    found = marks.found(
        Text(content.title, head=True),
        Text(content.beside, head=True),
        Text(content.text),
        Text(content.lines),
    )
    found |= marked_passages.beside(f"{content.title}\n{content.beside}")
    for name in content.attachments:
        found |= of_name(name)
    return found


def _title_of(name: str) -> str:
    """A file's name as a title is written."""
    return PurePosixPath(name).stem.replace("_", " ")


def _marks_of(name: str, data: bytes, depth: int) -> Marks | None:
    if depth > within.DEEPEST:
        return None
    left = _in_left_out(data)
    parts = _unpacked(data, name, None, (), _Budget())
    read_too = [
        read(each if isinstance(each, Unreadable) else replace(each, depth=depth)) for each in parts
    ]
    found = left.marks
    for each in read_too:
        found |= check(
            CLASSIFIED if isinstance(each, Unreadable) and each.classified else each.marks
        )
    whole = left.whole and not any(each.unseen for each in read_too)
    return found if whole else None


def _beside(comment: bytes) -> Marks:
    return marks.found(Text(comment.decode("utf-8", "replace"), head=True))


_READERS = {kinds.HTML: html.read, kinds.DOCX: docx.read, kinds.ODT: odt.read, kinds.PDF: pdf.read}


Read = tuple[dict[str, str], str, str, tuple[str, ...]]
"""Fields, subject and body of a document, and which of its fields it does not state."""


def _of_text(data: bytes) -> Read:
    try:
        found = plain.read(data)
    except ValueError as error:
        raise Refused(422, f"{str(error).capitalize()}.") from error
    return found.fields, found.subject, found.body, found.guessed


def _of_content(content: Content) -> Read:
    """What was read; the line that is the subject alone is not said again in the body."""
    body = tidy(content.text)
    if not any(character.isalnum() for character in body):
        raise Refused(422, _NO_TEXT)
    header = head.read(body)
    fields = dict(content.fields) | header.fields
    title = one_line(content.title)
    first, _, rest = body.partition("\n")
    subject = fields.get("subject") or title or _short(head.title(body, header))
    if rest.strip() and one_line(first) == subject:
        body = rest.strip()
    guessed = set(header.guessed) | (content.fields.keys() & {"date"}) - header.fields.keys()
    guessed |= set() if title or "subject" in fields else {"subject"}
    return fields, subject[:MAX_SUBJECT], body, tuple(sorted(guessed))


def _of_cover(content: Content) -> Read:
    """The same of a mail that only brings something along, which may have no text."""
    body = tidy(content.text)
    fields = dict(content.fields) | head.read(body).fields
    return fields, one_line(content.title)[:MAX_SUBJECT], body, ()


def _short(line: str) -> str:
    return line if len(line) <= LONG_SUBJECT else line[:LONG_SUBJECT].rsplit(" ", 1)[0] + " …"

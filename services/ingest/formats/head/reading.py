"""From the lines of a document's head to its fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.note import MAX_SUBJECT
from services.ingest.formats.head import dates, genres, labels, people, posts, references
from services.ingest.formats.head.folding import folded
from services.ingest.formats.head.labels import Labelled
from services.ingest.formats.head.lines import LONG_LINE, Line, bare, head_lines, is_sentence
from services.ingest.formats.head.values import listed, subject_of, value_after

LISTS = ("cites", "addressees")
"""Fields of several values, joined by `;`."""
MOST_TITLES = 2
"""Lines above the last of a header that are no sentence: a title, a name."""
_ACTION = frozenset({"pour action", "pour attribution", "pour suite a donner"})
_INFORMATION = frozenset({"pour information", "pour info"})
_RANKS = {"author": 0, "sender": 1, "signatory": 2}


@dataclass(frozen=True, slots=True)
class Head:
    """What a header says: `fields` as in `model.Document`; `lines`: those that are of the
    header. `guessed`: fields that it does not state in so many words; `impossible`: a date that no
    calendar has, as written, where it states no other; `office`: an embassy that is no post's."""

    fields: dict[str, str] = field(default_factory=dict)
    lines: frozenset[str] = frozenset()
    guessed: frozenset[str] = frozenset()
    impossible: str = ""
    office: str = ""


@dataclass
class _Found:
    """What has been read so far. The first statement of a thing wins, but a labelled one before a
    line that only looks like it."""

    labelled: dict[str, str] = field(default_factory=dict)
    looks: dict[str, str] = field(default_factory=dict)
    authors: dict[int, str] = field(default_factory=dict)
    addressees: list[str] = field(default_factory=list)
    cites: list[references.Reference] = field(default_factory=list)
    maybe: list[references.Reference] = field(default_factory=list)
    impossible: str = ""
    office: str = ""
    genre_at: int = -1
    subject_at: int = -1
    said_at: int = -1
    """The last line that says something in a way of its own: no genre's name alone."""
    unknown_at: int = -1
    """The first line that says nothing."""
    used: set[str] = field(default_factory=set)


def read(text: str) -> Head:
    """The header in the first lines of a text, up to its first paragraph."""
    lines = list(head_lines(text))
    found = _Found()
    number = 0
    while number < len(lines):
        line = lines[number]
        taken = _line(found, lines, number) if len(line.text) <= LONG_LINE else 0
        if not taken and line.is_prose:
            break
        found.used.update(each.text for each in lines[number : number + taken])
        if not taken and line.letterhead:
            found.used.add(line.text)
        elif not taken and found.unknown_at < 0:
            found.unknown_at = number
        number += max(taken, 1)
    return _head(found, lines)


def title(body: str, header: Head) -> str:
    """The first line of a text that is none of its header's, or the first of all."""
    lines = [line for line in map(bare, body[:20_000].splitlines()) if line]
    return next((line for line in lines if line not in header.lines), lines[0] if lines else "")


def has_body(text: str, subject: str) -> bool:
    """Whether a text has more than the lines of a header, and than titles above or among these."""
    header = read(text)
    if not header.fields:
        return True
    known = header.lines | {bare(subject)}
    lines = [bare(line) for line in text.splitlines() if any(map(str.isalnum, line))]
    own = [number for number, line in enumerate(lines) if line not in known]
    last = max((number for number, line in enumerate(lines) if line in known), default=-1)
    titles = [number for number in own if number < last and not is_sentence(lines[number])]
    return len(own) > len(titles) or len(titles) > MOST_TITLES


def note_fields(fields: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a header as those of a note: lists where these have several values."""
    return {
        name: [each.strip() for each in said.split(";") if each.strip()] if name in LISTS else said
        for name, said in fields.items()
    }


def _line(found: _Found, lines: Sequence[Line], number: int) -> int:
    """Read a line; how many lines say what was found, 0 where it says nothing."""
    line = lines[number]
    cells = line.cells
    taken = 0
    at = 0
    while at < len(cells):
        label = labels.read(cells[at])
        if label and not label.value and at + 1 < len(cells) and not labels.read(cells[at + 1]):
            at += 1
            label = Labelled(label.name, label.label, cells[at])
        alone = at == len(cells) - 1
        here = _labelled(found, label, lines, number, alone=alone) if label else 0
        taken = max(taken, here or _by_form(found, cells[at], number))
        at += 1
    if not taken and len(cells) > 1 and _by_form(found, line.text, number):
        taken = 1
    return taken


def _labelled(
    found: _Found, label: Labelled, lines: Sequence[Line], number: int, *, alone: bool
) -> int:
    """Read what stands after a label; how many lines that takes."""
    value, taken = label.value, 1
    if alone and label.name == "subject":
        value, taken = subject_of(lines, number, label)
    elif alone and label.name in ("cites", "cited", "addressees", "acting", "reference"):
        value, taken = listed(lines, number, label)
    elif alone and not value:
        value, taken = value_after(lines, number)
    if not value or not _field(found, label, value):
        return 0
    if label.name == "subject" and found.subject_at < 0:
        found.subject_at = number
    found.said_at = number
    return taken


def _field(found: _Found, label: Labelled, value: str) -> bool:
    """Keep a labelled value; whether it says something."""
    name = label.name
    if name == "subject":
        return _keep(found, name, value[:MAX_SUBJECT].strip())
    if name == "date":
        return _date(found, found.labelled, dates.dateline(value, _is_place))
    if name == "reference":
        return _reference(found, label, value)
    if name in ("cites", "cited"):
        cited = references.cited(value)
        (found.maybe if name == "cited" else found.cites).extend(cited)
        return bool(cited)
    if name in ("addressees", "acting"):
        return _addressees(found, label, value)
    if name == "genre":
        return _keep(found, name, genres.genre(value))
    if name == "expected":
        return _expected(found, value)
    post = posts.named(value) if name in ("post", "sender") else ""
    if post:
        return _keep(found, "post", post)
    if name != "post" and label.sure:
        found.authors.setdefault(_RANKS[name], people.one(value))
        return True
    return False


def _reference(found: _Found, label: Labelled, value: str) -> bool:
    """Keep the document's own number; of several after a plural, or another's, what it cites."""
    cited = references.cited(value)
    if any(each.theirs for each in cited):
        found.cites.extend(cited)
        return True
    if len(cited) > 1 and "references" in label.label:
        found.cites.extend(cited)
        return True
    if not _keep(found, "reference", references.own(value.split("\n", maxsplit=1)[0])):
        return False
    if (dated := dates.last_of(value)) and dated.iso:
        found.looks.setdefault("date", dated.iso)
    if label.label in ("td", "nd", "ndi") or label.label.startswith("telegramme"):
        found.looks.setdefault("genre", "note_diplomatique")
    return True


def _addressees(found: _Found, label: Labelled, value: str) -> bool:
    plain = folded(value).strip(" .")
    if plain in ("action", "attribution", "information", "info"):
        return _expected(found, f"pour {plain}")
    named = people.several(value)
    found.addressees.extend(each for each in named if each not in found.addressees)
    if label.name == "acting":
        found.labelled["action"] = "action"
    elif "information" in label.label:
        found.labelled.setdefault("action", "information")
    return bool(named)


def _expected(found: _Found, value: str) -> bool:
    plain = folded(value).strip(" .")
    for said, known in (("action", _ACTION), ("information", _INFORMATION)):
        if plain in known or f"pour {plain}" in known:
            found.looks.setdefault("action", said)
            return True
    return False


def _keep(found: _Found, name: str, value: str) -> bool:
    if value:
        found.labelled.setdefault(name, value)
    return bool(value)


def _date(found: _Found, into: dict[str, str], dated: dates.Dated | None) -> bool:
    if dated is None:
        return False
    if dated.iso:
        into.setdefault("date", dated.iso)
    else:
        found.impossible = found.impossible or dated.words
    if dated.place and (post := posts.placed(dated.place)):
        found.looks.setdefault("post", post)
    return True


def _by_form(found: _Found, text: str, number: int) -> bool:
    """What a line or a cell says by its form alone: a dateline, a number, a genre, a post's title,
    what is expected; whether it says something."""
    if _expected(found, text) or _date(found, found.looks, _dateline(text)):
        found.said_at = number
        return True
    said = False
    if reference := references.of_line(text):
        found.looks.setdefault("reference", reference)
        said = True
    if post := posts.titled(text):
        found.looks.setdefault("post", post)
        said = True
    elif office := posts.elsewhere(text):
        found.office = found.office or office
        said = True
    if said:
        found.said_at = number
    if genre := genres.genre(text):
        if "genre" not in found.looks:
            found.looks["genre"] = genre
            found.genre_at = number if genres.may_be_heading(text) else -1
        if (dated := dates.last_of(text)) and dated.iso:
            found.looks.setdefault("date", dated.iso)
        said = said or not genres.is_title(text)
    return said


def _dateline(text: str) -> dates.Dated | None:
    found = dates.dateline(text, _is_place)
    return None if found and dates.is_doubtful(text) else found


def _is_place(place: str) -> bool:
    return bool(posts.placed(place))


def _head(found: _Found, lines: Sequence[Line]) -> Head:
    if _is_heading(found):
        found.used.discard(lines[found.genre_at].text)
        del found.looks["genre"]
    fields = found.looks | found.labelled
    guessed: set[str] = set()
    if "reference" not in fields and not found.cites:
        own = references.may_be_own(found.maybe, fields.get("date", ""), fields.get("post", ""))
        if own:
            fields["reference"] = own.number
            guessed |= {"reference"} if own.ours else set()
            found.maybe = found.maybe if own.ours else []
    cites = dict.fromkeys(each.number for each in (*found.cites, *found.maybe))
    if cites:
        fields["cites"] = ";".join(list(cites)[: references.MOST_CITES])
    if found.addressees:
        fields["addressees"] = ";".join(found.addressees[: people.MOST_PEOPLE])
    if found.authors:
        fields["author"] = found.authors[min(found.authors)]
    return Head(
        fields=fields,
        lines=frozenset(found.used),
        guessed=frozenset(guessed),
        impossible="" if "date" in fields else found.impossible,
        office=found.office,
    )


def _is_heading(found: _Found) -> bool:
    """Whether what looks like a genre is the heading of a section: it stands after the subject or
    the title, and nothing of the header comes after it."""
    at = found.genre_at
    if at < 0 or found.said_at > at:
        return False
    return 0 <= found.subject_at < at or 0 <= found.unknown_at < at

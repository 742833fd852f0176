"""The protection of a note: what its sender declares, what its text bears, the stricter of both.

Whoever takes a note in, or shows what would become of one, asks here, so that both say the same.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any, Protocol

from schemas.marks import NONE, STRICTEST, Marks, canonical, read, rights_of
from schemas.note import MarkedSpan, Note, normalise_text
from schemas.vocabulary import Marking
from services.runtime.french import MOST_ERRORS
from services.runtime.marked_passages import Found, Passage

MOST_SHOWN = 60
"""Characters of a mark, or of a passage, that a warning repeats."""
MOST_SPANS = 1_000
"""Passages of one note, as in `schemas.note`."""
MOST_TOLD = 10
"""Passages that warnings name one by one."""
WORDS = "marked_words"
"""The field of a submission that marks passages by their words."""

UNDO = (
    "s’il ne s’agit pas d’une mention de protection, rectifier la note avec le même texte en JSON, "
    "en donnant « marking », « special_france » et « marked_spans »"
)


class Text(Protocol):
    """A note, or as much of it as there is, normalised."""

    @property
    def subject(self) -> str:
        """Its title."""

    @property
    def body(self) -> str:
        """Its text."""

    @property
    def marking(self) -> Marking:
        """The marking that its sender declares."""

    @property
    def special_france(self) -> bool:
        """Whether its sender declares it *spécial France*."""

    @property
    def marked_spans(self) -> tuple[MarkedSpan, ...]:
        """The passages that its sender declares."""


class Unmarkable(ValueError):
    """A submission marks passages by words in a way that cannot be followed; `field` is the place
    of what is wrong."""

    def __init__(self, field: str, said: str) -> None:
        super().__init__(said)
        self.field = field


@dataclass(frozen=True, slots=True)
class Protection:
    """The marks of a note and of its passages, and what its sender should know of them."""

    marks: Marks
    spans: tuple[MarkedSpan, ...]
    warnings: tuple[str, ...] = ()

    def also(self, warned: tuple[str, ...]) -> "Protection":
        """The same, with this to be known first."""
        return replace(self, warnings=(*warned, *self.warnings))

    def as_fields(self) -> dict[str, Any]:
        """What it is as fields of a note, and of the answer that shows it."""
        return {
            "marking": self.marks.marking,
            "special_france": self.marks.special_france,
            "marked_spans": self.spans,
            "warnings": list(self.warnings),
        }


def in_our_words(given: dict[str, Any]) -> tuple[str, ...]:
    """Have the declared marks of a note written in the contract's words.

    Returns what its sender should know of those that are not known. An unknown mark of a passage
    stays as it is.
    """
    warned: list[str] = []
    mark = given.get("marking")
    if isinstance(mark, str):
        meant = read(mark) or STRICTEST
        given["marking"], special_france = meant.marking, meant.special_france
        if special_france and given.get("special_france", False) is False:
            given["special_france"] = True
        if canonical(mark) is None:
            warned.append(_unknown(mark, "la note"))
    passages = [given[name] for name in ("marked_spans", WORDS) if name in given]
    for span in chain(*(each for each in passages if isinstance(each, list))):
        mark = span.get("mark") if isinstance(span, dict) else None
        if isinstance(mark, str):
            known = canonical(mark)
            span["mark"] = known or mark
            if known is None and len(warned) < MOST_ERRORS:
                warned.append(_unknown(mark, "le passage"))
    return tuple(dict.fromkeys(warned))


def words_to_mark(given: dict[str, Any]) -> list[dict[str, str]]:
    """Take from the fields of a submission the passages that it marks by their words, each with
    `mark` and `words`. Raises Unmarkable."""
    wanted = given.pop(WORDS, [])
    if not isinstance(wanted, list):
        raise Unmarkable(WORDS, "liste attendue")
    for place, each in enumerate(wanted):
        texts = each.values() if isinstance(each, dict) and each.keys() == {"mark", "words"} else ()
        if not texts or not all(isinstance(one, str) for one in texts):
            said = "objet attendu, avec « mark » (la mention) et « words » (les mots)"
            raise Unmarkable(f"{WORDS}.{place}", said)
    return wanted


def of_words(note: Text, wanted: Sequence[Mapping[str, str]]) -> tuple[MarkedSpan, ...]:
    """Return the marked passages of a note, those that are marked by their words too.

    Words are found whatever white space parts them. Raises Unmarkable where they do not stand in
    subject and body once and no more.
    """
    found = list(note.marked_spans)
    for number, each in enumerate(wanted):
        place = f"{WORDS}.{number}"
        words = normalise_text(each["words"]).split()
        if not words:
            raise Unmarkable(place, "aucun mot n’est donné")
        pattern = re.compile(r"\s+".join(map(re.escape, words)))
        places = [
            (field, match.span())
            for field, text in (("subject", note.subject), ("body", note.body))
            for match in islice(pattern.finditer(text), 2)
        ]
        if len(places) != 1:
            said = "se trouve plusieurs fois" if places else "ne se trouve nulle part"
            shown = _shown(" ".join(words))
            raise Unmarkable(place, f"« {shown} » {said} : il faut une fois et une seule")
        ((field, (start, end)),) = places
        span = {"field": field, "start": start, "end": end, "mark": each["mark"]}
        found.append(MarkedSpan.model_validate(span))
    return tuple(dict.fromkeys(found))


def protection(note: Text, found: Found, seen: Marks = NONE, *, doubts: bool = True) -> Protection:
    """Return what holds for a note: the stricter of what it declares and of what was `found` in its
    text, for the whole and for each passage.

    `seen` are the marks that the whole is known to bear besides; without `doubts`, what may be a
    mark and may be none counts for nothing.
    """
    if not doubts:
        found = found.certain
    declared = Marks(note.marking, note.special_france)
    marks = declared | _plain(seen | found.of_the_whole)
    added = [each for each in found.passages if _stricter(marks, each.marks)]
    if added and (len(added) > MOST_SPANS or _covers(added, note.body)):
        marks = _all(marks, added)
    kept = list(note.marked_spans)
    told: list[Passage] = []
    for each in added:
        span = MarkedSpan(field="body", start=each.start, end=each.end, mark=_named(each.marks))
        if _stricter(marks, each.marks) and not any(_holds(one, span) for one in kept):
            kept.append(span)
            told.append(each)
    if len(kept) > MOST_SPANS:
        marks, kept, told = _all(marks, told), list(note.marked_spans), []
    warned = (*_of_the_whole(found, declared, marks), *_of_passages(told, note.body))
    return Protection(marks, tuple(kept), warned)


def protected(
    note: Note, found: Found, seen: Marks = NONE, *, doubts: bool = True
) -> tuple[Note, tuple[str, ...]]:
    """Return the note under all the marks that it bears, itself where it has them all; what its
    sender should know. As `protection`."""
    held = protection(note, found, seen, doubts=doubts)
    changed = held.as_fields()
    del changed["warnings"]
    if all(getattr(note, name) == value for name, value in changed.items()):
        return note, held.warnings
    return note.model_copy(update=changed), held.warnings


def _all(marks: Marks, passages: Sequence[Passage]) -> Marks:
    for each in passages:
        marks |= _plain(each.marks)
    return marks


def _stricter(marks: Marks, than: Marks) -> bool:
    """Whether the second of these asks for more than the first."""
    return marks | _plain(than) != marks


def _plain(marks: Marks) -> Marks:
    """What these ask of a reader."""
    return Marks(marks.marking, marks.special_france)


def _named(marks: Marks) -> str:
    words = [marks.marking.value] if marks.marking is not Marking.NON_PROTEGE else []
    return " ".join([*words, *(["special_france"] if marks.special_france else [])])


def _holds(one: MarkedSpan, other: MarkedSpan) -> bool:
    """Whether a passage holds another, under marks as strict."""
    return (
        one.field == other.field
        and one.start <= other.start
        and other.end <= one.end
        and not _stricter(Marks(*rights_of(one.mark)), Marks(*rights_of(other.mark)))
    )


def _covers(passages: Sequence[Passage], body: str) -> bool:
    """Whether nothing with a letter or a figure is left outside these passages, in their order."""
    at = 0
    for each in passages:
        if any(map(str.isalnum, body[at : each.start])):
            return False
        at = max(at, each.end)
    return not any(map(str.isalnum, body[at:]))


def _of_the_whole(found: Found, declared: Marks, marks: Marks) -> Iterator[str]:
    """What is told of the marks that the whole note bears and nobody declared."""
    if not _stricter(declared, marks):
        return
    certain = [each for each in found.whole if not each.doubtful]
    said = "le texte, ou ce qui y est joint, porte une mention qui n’était pas déclarée"
    doubted = [each for each in found.whole if each.doubtful and _stricter(declared, each.marks)]
    if doubted and not certain:
        words = ", ".join(dict.fromkeys(f"« {_shown(each.words)} »" for each in doubted[:3]))
        said = f"{words} peut être une mention de protection"
    said = f"{said} : la note est {_in_words(declared, marks)}"
    yield f"{said} ; {UNDO}" if doubted and not certain else said


def _of_passages(told: Sequence[Passage], body: str) -> Iterator[str]:
    for each in told[:MOST_TOLD]:
        words = _shown(body[each.start : each.end])
        said = (
            f"le passage « {words} » porte la mention « {_shown(each.words)} » : il est "
            f"{_in_words(NONE, each.marks)}"
        )
        yield f"{said} ; {UNDO}" if each.doubtful else said
    if len(told) > MOST_TOLD:
        more = len(told) - MOST_TOLD
        yield f"{more} autres passages portent une mention et sont protégés de même"


def _in_words(declared: Marks, marks: Marks) -> str:
    found = []
    if marks.marking is not declared.marking:
        found.append("en diffusion restreinte")
    if marks.special_france and not declared.special_france:
        found.append("spécial France")
    return " et ".join(found)


def _shown(words: str) -> str:
    one_line = " ".join(words[: 4 * MOST_SHOWN].split())
    return one_line if len(one_line) <= MOST_SHOWN else f"{one_line[: MOST_SHOWN - 1].rstrip()}…"


def _unknown(mark: str, what: str) -> str:
    return (
        f"la mention « {' '.join(mark[:MOST_SHOWN].split())} » n’est pas connue : {what} reçoit la "
        "protection la plus stricte (diffusion restreinte, spécial France)"
    )

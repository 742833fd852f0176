"""Protection marks: what a freely written mark asks for, and who a marked text is for.

A mark is read by its letters alone: case, accents, spaces, punctuation and look-alike letters make
no difference. The marks themselves are data (`data/marks.json`, with its provenance). Readers form
four audiences, by whether they may see *Diffusion Restreinte* and *Spécial France*.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from schemas.letters import UNKNOWN, plain
from schemas.vocabulary import Marking

if TYPE_CHECKING:  # readers of documents, which start often, need no searches
    from schemas.query import Reader

AUDIENCES = 4
"""Bit 0: sees diffusion_restreinte; bit 1: sees special_france."""

LONGEST = 200
"""Characters of a mark: three of the longest, one after the other, have 120."""

_CAPITALS = bytes(range(256)).upper().replace(b"L", b"I")
_LIKE_LETTERS = bytes.maketrans(b"013457@$8", b"OIEASTASB")
_NO_LETTERS = bytes(code for code in range(128) if not chr(code).isalnum() and code != ord(UNKNOWN))
_BUT_LINES = _NO_LETTERS.replace(b"\n", b"")
_KINDS = {
    "classified": "C",
    "restricted": "R",
    "restricted_short": "r",
    "special_france": "F",
    "special_france_short": "f",
    "unprotected": "N",
    "unprotected_short": "n",
    "unknown": "U",
    "restreint_ue": "E",
    "nato_restricted": "O",
    "additions": "+",
}


class Level(StrEnum):
    """A lowest level of classification of others, for which a deployment may be approved."""

    RESTREINT_UE = "restreint_ue"
    NATO_RESTRICTED = "nato_restricted"


@dataclass(frozen=True, slots=True)
class Marks:
    """What marks stand for, together: `classified` is what no reader of ours may see, `levels` what
    only a deployment may keep that is approved for them."""

    marking: Marking = Marking.NON_PROTEGE
    special_france: bool = False
    classified: bool = False
    levels: frozenset[Level] = frozenset()

    def __or__(self, other: "Marks") -> "Marks":
        """The stricter of both, each for itself."""
        restricted = Marking.DIFFUSION_RESTREINTE in (self.marking, other.marking)
        return Marks(
            Marking.DIFFUSION_RESTREINTE if restricted else Marking.NON_PROTEGE,
            self.special_france or other.special_france,
            self.classified or other.classified,
            self.levels | other.levels,
        )


NONE = Marks()
STRICTEST = Marks(Marking.DIFFUSION_RESTREINTE, special_france=True)
"""Of what may be kept: what an unknown mark is taken for."""
CLASSIFIED = Marks(Marking.DIFFUSION_RESTREINTE, special_france=True, classified=True)


def data(name: str) -> tuple[str, ...]:
    """One list of `data/marks.json`, as it is written there."""
    return tuple(_data()[name])


def letters(text: str, *, digits: bool = False, lines: bool = False) -> str:
    """The letters and digits of a text in capitals, I and L as one letter; with `lines`, its line
    ends too.

    With `digits`, those that look like letters become these (`5ECRET`).
    """
    raw = plain(text).encode("ascii")
    if digits:
        raw = raw.translate(_LIKE_LETTERS)
    return raw.translate(_CAPITALS, _BUT_LINES if lines else _NO_LETTERS).decode("ascii")


@lru_cache(4_096)
def rights_of(mark: str) -> tuple[Marking, bool]:
    """The marking and whether it is *spécial France*, for a mark as somebody wrote it.

    An unknown one, and one of a classified document, is the strictest; so is one of the levels of
    others, which passages have from before these were told apart.
    """
    known = read(mark) or STRICTEST
    if known.levels:
        known = STRICTEST
    return known.marking, known.special_france


def names(marking: str | None, special_france: bool | None) -> tuple[str, ...]:
    """The French names of these marks as readers are shown them (« Diffusion restreinte »,
    « Spécial France »); none for what bears no mark, or of which none is known.
    """
    there = (
        ("restricted", marking == Marking.DIFFUSION_RESTREINTE),
        ("special_france", bool(special_france)),
    )
    usual = (data(kind)[0] for kind, borne in there if borne)
    return tuple(name[0].upper() + name[1:] for name in usual)


def audience_of(reader: "Reader") -> int | None:
    """The audience that the reader belongs to; None for one who may see no note at all."""
    if Marking.NON_PROTEGE not in reader.markings:
        return None
    return (Marking.DIFFUSION_RESTREINTE in reader.markings) + 2 * reader.special_france


def admits(audience: int, marking: Marking, special_france: bool) -> bool:
    """Whether that audience may see what bears these marks."""
    return needed(marking, special_france) & ~audience == 0


def needed(marking: Marking, special_france: bool) -> int:
    """What an audience must see to be shown what bears these marks, as bits of AUDIENCES."""
    return (marking is Marking.DIFFUSION_RESTREINTE) + 2 * special_france


def read(mark: str) -> Marks | None:
    """What a text that is a mark and nothing else stands for; None for one that is unknown."""
    return _read(mark, short=True)


def read_form(line: str) -> Marks | None:
    """The same for a line of a document, where bare initials (DR, SF) are no mark."""
    return _read(line, short=False)


def named(mark: str) -> Marks:
    """Return what a field that holds a mark names of the classified ones, whatever else it says."""
    found = read(mark)
    if found is not None:
        return Marks(classified=found.classified, levels=found.levels)
    words = " ".join(re.findall(r"[a-z]+", plain(mark[:LONGEST]).lower()))
    return Marks(
        classified=bool(_words("classified").search(words)),
        levels=frozenset(level for level in Level if _words(level).search(words)),
    )


def canonical(mark: str) -> str | None:
    """A known mark's own word (`diffusion_restreinte`, `special_france`, both, `non_protege`);
    None for an unknown one."""
    found = read(mark)
    if found is None or found.classified or "U" in _kinds(mark):
        return None
    words = [found.marking.value] if found.marking is not Marking.NON_PROTEGE else []
    words += ["special_france"] if found.special_france else []
    return " ".join(words) or Marking.NON_PROTEGE.value


def _read(text: str, *, short: bool) -> Marks | None:
    kinds = _kinds(text)
    wanted = "CREOFNUrfn" if short else "CREOFNU"
    if not any(kind in wanted for kind in kinds):
        return None
    found = NONE
    for kind in kinds:
        found |= _MEANINGS.get(kind, NONE)
    return found


_CONFIDENTIAL = re.compile(r"(?i)[^a-z]*confidentiel(?:le)?[^a-z]+[a-z]{3,20}[^a-z]*")
"""*Confidentiel* with a word of its own (diplomatie, personnel, industrie)."""

_MEANINGS = {
    "C": CLASSIFIED,
    "U": STRICTEST,
    **dict.fromkeys("Rr", Marks(Marking.DIFFUSION_RESTREINTE)),
    "E": Marks(Marking.DIFFUSION_RESTREINTE, levels=frozenset({Level.RESTREINT_UE})),
    "O": Marks(Marking.DIFFUSION_RESTREINTE, levels=frozenset({Level.NATO_RESTRICTED})),
    **dict.fromkeys("Ff", Marks(special_france=True)),
}


def _kinds(text: str) -> str:
    """The kind of each word of marks in a text, one letter each; empty where it holds others."""
    if len(text) > LONGEST:
        return ""
    token, kind_of = _tokens()
    tried = ""
    for digits in (False, True):
        squeezed = letters(text, digits=digits)
        if squeezed == tried:
            break
        at, kinds = 0, []
        while found := token.match(squeezed, at):
            kinds.append(kind_of.get(found[0], "+"))
            at = found.end()
        if at == len(squeezed) > 0:
            return "".join(kinds)
        tried = squeezed
    return "U" if _CONFIDENTIAL.fullmatch(plain(text)) else ""


@cache
def _data() -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(
        (files("schemas") / "data" / "marks.json").read_text("utf-8")
    )
    return found


@cache
def _tokens() -> tuple[re.Pattern[str], dict[str, str]]:
    """The words of marks, the longest first, and digits; the kind of each."""
    kinds = {letters(mark): kind for name, kind in _KINDS.items() for mark in _data()[name]}
    return re.compile(f"{any_of(kinds)}|NO?(?=[0-9])|[0-9]+"), kinds


@cache
def _words(name: str) -> re.Pattern[str]:
    """A mark of that list among other words, unless these make it an ordinary one."""
    words = {plain(mark).lower() for mark in _data()[name]}
    ordinary = "|".join(plain(word) for word in _data()["complements"])
    return re.compile(rf"\b(?:{any_of(words)})\b(?! (?:{ordinary})\b)")


def any_of(words: Iterable[str]) -> str:
    """A regular expression for any of these, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))

"""Lines of a text as they are looked at: where each stands, and its words without emphasis."""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

LONG_LINE = 500
"""Characters beyond which a line is a paragraph: no more of it is looked at."""
_EMPHASIS = re.compile(r"[*#]+|(?<!\w)_+|_+(?!\w)|</?[bi]>")
_WRITTEN = re.compile(r"\S[^\n]*")
_ACCENTS = re.compile("[\u0300-\u036f]+")
SENTENCE_ENDS = (".", ";", "!", "?", "…", ",")
SHORT = 14
"""Words up to which a line may be a heading, a name, a title."""


class Line(NamedTuple):
    """A line with text, from `start` to `end` without its line end; `text` is cut at LONG_LINE."""

    start: int
    end: int
    text: str

    @property
    def short(self) -> bool:
        """Whether it may be a heading, a name or a title: few words, and no end of a sentence."""
        return (
            self.end - self.start <= LONG_LINE
            and self.text.count(" ") < SHORT
            and not self.text.endswith(SENTENCE_ENDS)
        )


def lines(text: str, start: int, end: int) -> Iterator[Line]:
    """The lines with text between two places, in order; blank ones are passed over."""
    for found in _WRITTEN.finditer(text, start, end):
        if plain := bare(found[0][:LONG_LINE]):
            begins = max(start, text.rfind("\n", start, found.start()) + 1)
            yield Line(begins, found.end(), plain)
        start = found.end()


def lines_back(text: str, start: int, end: int) -> Iterator[Line]:
    """The same lines from the last to the first."""
    while start < end:
        at = max(start, text.rfind("\n", start, end) + 1)
        if plain := bare(text[at : min(end, at + LONG_LINE)]):
            yield Line(at, end, plain)
        end = at - 1


def line_start(text: str, place: int) -> int:
    """Where the line begins that holds this place."""
    return text.rfind("\n", 0, place) + 1


def bare(text: str) -> str:
    """A line's words: no emphasis, single spaces."""
    if any(sign in text for sign in "*#_<"):
        text = _EMPHASIS.sub("", text)
    return " ".join(text.split())


def folded(text: str) -> str:
    """Small letters without accents, one kind of apostrophe and of number sign."""
    plain = text.replace("’", "'").replace("º", "°").casefold()
    if not plain.isascii():
        plain = _ACCENTS.sub("", unicodedata.normalize("NFD", plain))
    return " ".join(plain.split())

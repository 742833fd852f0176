"""The parts of a page that are not its text: menus, links and headlines round a copied article.

A menu is a run of lines that end like no sentence. It names countries that the article does not.
"""

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate
from operator import itemgetter

from services.classify.text import Folded

SHORT_LINE = 25
"""Words up to which a line without an end may be a link or a headline."""
LONG_WORDS = 250
"""Characters beyond which a line is no link, however few its words."""
MENU_LINES = 4
"""So many short lines in a row are a menu; fewer may be headings, a signature, an address."""
_ENDS = (".", ";", ",", ":", "…", "»", ")")
_INTRODUCED = (":",)
_WORD = re.compile(r"\w")
_TABLE = "|"
_START = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Menus:
    """The words of a text that stand in menus: `firsts[i]` to `lasts[i]`, without the last.

    `sums[i]`: how many words the menus before number i have.
    """

    firsts: tuple[int, ...] = ()
    lasts: tuple[int, ...] = ()
    sums: tuple[int, ...] = (0,)

    def holds(self, word: int) -> bool:
        """Whether the word stands in a menu."""
        at = bisect_right(self.firsts, word) - 1
        return at >= 0 and word < self.lasts[at]

    def before(self, word: int) -> int:
        """How many words of menus stand before a word that is in none."""
        return self.sums[bisect_right(self.firsts, word)]


NONE = Menus()


def menus(text: Folded) -> Menus:
    """The menus of a text, in time proportional to it."""
    if text.text.count("\n") < MENU_LINES:
        return NONE
    firsts: list[int] = []
    lasts: list[int] = []
    for start, end in _blocks(text.text):
        first = bisect_left(text.spans, start, key=_START)
        last = bisect_left(text.spans, end, key=_START)
        if first < last:
            firsts.append(first)
            lasts.append(last)
    sizes = (last - first for first, last in zip(firsts, lasts, strict=True))
    return Menus(tuple(firsts), tuple(lasts), tuple(accumulate(sizes, initial=0)))


def _blocks(text: str) -> list[tuple[int, int]]:
    """Where runs of short lines begin and end; lines without a word are passed over."""
    blocks: list[tuple[int, int]] = []
    start = end = at = count = 0
    introduced = before = False
    for line in text.split("\n"):
        bare = line.strip()
        if _WORD.search(bare):
            if _short(bare):
                if not count:
                    start, introduced = at, before
                count, end = count + 1, at + len(line)
            else:
                if count >= MENU_LINES and not introduced:
                    blocks.append((start, end))
                count = 0
            before = bare.endswith(_INTRODUCED)
        at += len(line) + 1
    if count >= MENU_LINES and not introduced:
        blocks.append((start, end))
    return blocks


def _short(line: str) -> bool:
    return (
        len(line) <= LONG_WORDS
        and not line.endswith(_ENDS)
        and not line.startswith(_TABLE)
        and line.count(" ") < SHORT_LINE
    )

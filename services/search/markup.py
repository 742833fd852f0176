"""The signs of Markdown in a text: where they stand, or the text without them.

Of Markdown only what reads badly as it is: headings, bold and italic signs, the rule under the head
of a table. Beside figures, as in 10**6, and within words the same signs stay. Linear time.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_HEADING = re.compile(r"^ {0,3}(#{1,6}[ \t]+)(?=\S)([^\n]*)", re.MULTILINE)
_RULE = frozenset("|:- \t")
_WITHIN = r"(?:[^{0}\n]|\n(?![^\S\n]*(?:\n|\Z))|{0}(?!{0}))"
_BOLD = tuple(
    re.compile(rf"(?<![\w{one}]){one}{one}(?=[^\s{one}])({within}+)(?<=\S){one}{one}(?!\w)")
    for one, within in ((r"\*", _WITHIN.format(r"\*")), ("_", _WITHIN.format("_")))
)
_ITALIC = re.compile(r"(?<![\w*])\*(?=[^\s*])[^*\n]+(?<=[^\s*])\*(?![\w*])")
_LINK = re.compile(r"!?\[([^\[\]\n]{1,300})\]\((?:https?://|mailto:|/|#)[^()\s]{1,2000}\)")
_LEFT_OVER = re.compile(r"(?<!\w)\*\*|\*\*(?!\w)")


@dataclass(frozen=True, slots=True)
class Sign:
    """A stretch of a text that is no word of it (`hidden`), or that stands out."""

    start: int
    end: int
    hidden: bool


def signs(text: str) -> list[Sign]:
    """The signs of Markdown in a text and what they set off, by their places in it."""
    return list(_signs(text))


def _signs(text: str) -> Iterable[Sign]:
    for found in _HEADING.finditer(text):
        yield Sign(found.start(), found.end(1), hidden=True)
        yield Sign(found.start(2), found.end(2), hidden=False)
    yield from _tables(text)
    for bold in _BOLD:
        for found in bold.finditer(text):
            start, end = found.span(1)
            yield Sign(start - 2, start, hidden=True)
            yield Sign(start, end, hidden=False)
            yield Sign(end, end + 2, hidden=True)
    for found in _ITALIC.finditer(text):
        yield Sign(found.start(), found.start() + 1, hidden=True)
        yield Sign(found.end() - 1, found.end(), hidden=True)


def _tables(text: str) -> Iterable[Sign]:
    """The rule under a table's head, and the signs that begin and end a row."""
    at = 0
    for line in text.splitlines(keepends=True):
        row = line.strip()
        if "|" in row and "---" in row and _RULE.issuperset(row):
            yield Sign(at, at + len(line), hidden=True)
        elif len(row) > 2 and row[0] == row[-1] == "|":
            start, end = line.index("|"), line.rindex("|")
            first = len(line) - len(line[start + 1 :].lstrip())
            last = len(line[:end].rstrip())
            if first < last:
                yield Sign(at + start, at + first, hidden=True)
                yield Sign(at + last, at + end + 1, hidden=True)
        at += len(line)


def headless(text: str) -> str:
    """The text without its headings."""
    return _HEADING.sub("", text)


def plain(text: str) -> str:
    """The text, or a piece of one, without the signs of Markdown and the addresses of links."""
    kept, at = [], 0
    for sign in sorted((each for each in signs(text) if each.hidden), key=lambda one: one.start):
        kept.append(text[at : sign.start])
        at = max(at, sign.end)
    kept.append(text[at:])
    return _LEFT_OVER.sub("", _LINK.sub(r"\1", "".join(kept)))

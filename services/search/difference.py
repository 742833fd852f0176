"""What changed between two revisions of a note: fields, paragraphs, words. Pure.

Texts are compared line by line, and what was replaced word by word. The time it takes is bounded:
where much of a long text changed, it is shown as taken out and put in whole.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby, pairwise

from schemas.answers import FieldChange, TextOperation
from schemas.note import Note

MOST_LINES = 1_000
"""Compared with each other, between the first and the last that differ."""
MOST_WORDS = 500
"""As above, within what was replaced: 3,000 characters, longer than nearly every paragraph."""
MOST_STEPS = 5_000_000
"""Of comparing words, in one text: about a second at worst."""
ALIKE = 0.4
"""Share of words kept, below which two passages are told apart whole: a mosaic of single words that
happen to occur in both cannot be read."""

_WORDS = re.compile(r"\s*(?:\S+|\Z)")
"""With the end: a long space there would be tried again from each of its characters."""

Operation = tuple[str, str]
"""equal, insert, delete or skip, and the text."""


def changes(before: Note, after: Note) -> tuple[FieldChange, ...]:
    """The fields that differ, in the order of the contract."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    return tuple(
        FieldChange(field=name, operations=text_difference(old[name], new[name]))
        if name in ("subject", "body")
        else FieldChange(field=name, before=old[name], after=new[name])
        for name in old
        if old[name] != new[name]
    )


def text_difference(before: str, after: str) -> tuple[TextOperation, ...]:
    """What became of a text. Unchanged lines are skipped, changed ones told word by word."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    found = _lines(old, new, _Effort(MOST_STEPS))
    return tuple(
        TextOperation(op=op, text="" if op == "skip" else text, characters=len(text))
        for op, text in _joined(found)
    )


@dataclass
class _Effort:
    """What may still be spent on one text."""

    steps: int

    def allows(self, steps: int) -> bool:
        """Whether there is enough left for so many steps; then they are spent."""
        enough = steps <= self.steps
        self.steps -= steps if enough else 0
        return enough


def _lines(before: Sequence[str], after: Sequence[str], effort: _Effort) -> Iterable[Operation]:
    first, last = _ends(before, after)
    yield "skip", "".join(before[:first])
    old, new = before[first : len(before) - last], after[first : len(after) - last]
    if max(len(old), len(new)) > MOST_LINES:
        yield from _replaced(old, new, effort)
    else:
        for op, a, b, c, d in SequenceMatcher(None, old, new).get_opcodes():
            if op == "equal":
                yield "skip", "".join(old[a:b])
            else:
                yield from _replaced(old[a:b], new[c:d], effort)
    yield "skip", "".join(before[len(before) - last :])


def _replaced(old: Sequence[str], new: Sequence[str], effort: _Effort) -> Iterable[Operation]:
    """Lines in the place of others: of as many, each in the place of one."""
    if len(old) == len(new) <= MOST_LINES:
        for one, other in zip(old, new, strict=True):
            yield from _words(one, other, effort)
    else:
        yield from _words("".join(old), "".join(new), effort)


def _words(old: str, new: str, effort: _Effort) -> Sequence[Operation]:
    if old == new:
        return [("skip", old)]
    whole = [("delete", old), ("insert", new)]
    before, after = _split(old), _split(new)
    first, last = _ends(before, after)
    cut, put = before[first : len(before) - last], after[first : len(after) - last]
    if max(len(cut), len(put)) > MOST_WORDS or not effort.allows(_steps(cut, put)):
        return whole
    matcher = SequenceMatcher(None, cut, put, autojunk=False)
    opcodes = matcher.get_opcodes()
    kept = first + last + sum(b - a for op, a, b, _, _ in opcodes if op == "equal")
    if 2 * kept < ALIKE * (len(before) + len(after)):
        return whole
    found = [("equal", "".join(before[:first]))]
    for op, a, b, c, d in opcodes:
        if op == "equal":
            found.append(("equal", "".join(cut[a:b])))
        else:
            found += [("delete", "".join(cut[a:b])), ("insert", "".join(put[c:d]))]
    return [*found, ("equal", "".join(before[len(before) - last :]))]


def _steps(cut: Sequence[str], put: Sequence[str]) -> int:
    """What comparing these may take: once per word kept, each is held against its equals."""
    there = Counter(put)
    pairs = sum(count * there[word] for word, count in Counter(cut).items())
    return (pairs + len(cut) + len(put)) * min(len(cut), len(put))


def _split(text: str) -> list[str]:
    """Words, each with the space before it; what follows the last one by itself."""
    ends = [0, *(word.end() for word in _WORDS.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(ends) if start < end]


def _ends(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    """How many items are the same at the beginning, and how many of the rest at the end."""
    shorter = min(len(before), len(after))
    first = _same(lambda at: before[at] == after[at], shorter)
    return first, _same(lambda at: before[-1 - at] == after[-1 - at], shorter - first)


def _same(equal: Callable[[int], bool], most: int) -> int:
    return next((at for at in range(most) if not equal(at)), most)


def _joined(operations: Iterable[Operation]) -> Iterable[Operation]:
    """The same with neighbours of a kind in one, and what is taken out before what is put in."""
    told = [each for each in operations if each[1]]
    changed = ("delete", "insert")
    for among, run in groupby(told, key=lambda each: each[0] in changed or each[0]):
        texts = list(run)
        for op in changed if among is True else (str(among),):
            text = "".join(text for kind, text in texts if kind == op)
            if text:
                yield op, text

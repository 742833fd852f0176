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

CONTEXT = 120
"""Characters shown beside a change at most: a line and a half, enough to know where one is."""
LEAST_SKIPPED = 200
"""Characters that are worth leaving out: fewer take no more room than what stands for them."""

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
    """What became of a text, word by word where it changed; a long stretch that stayed is skipped,
    but for what stands next to a change."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    found = _lines(old, new, _Effort(MOST_STEPS))
    return tuple(
        TextOperation(op=op, text="" if op == "skip" else text, characters=len(text))
        for op, text in _shortened(list(_joined(found)))
    )


def _shortened(told: Sequence[Operation]) -> Iterable[Operation]:
    """The same, of each long stretch that stayed only what stands next to a change."""
    for at, (op, text) in enumerate(told):
        if op != "equal":
            yield op, text
            continue
        head = _head(text) if at > 0 else 0
        tail = _tail(text) if at + 1 < len(told) else len(text)
        if tail - head < LEAST_SKIPPED:
            yield op, text
            continue
        parts = (("equal", text[:head]), ("skip", text[head:tail]), ("equal", text[tail:]))
        yield from (part for part in parts if part[1])


def _head(text: str) -> int:
    """Where what is shown of a text's beginning ends: behind a line, else behind a word."""
    shown = text[:CONTEXT]
    return shown.rfind("\n") + 1 or _blank(shown) + 1 or CONTEXT


def _tail(text: str) -> int:
    """Where what is shown of a text's end begins: with a line, else with a word."""
    start = max(0, len(text) - CONTEXT)
    shown = text[start:]
    if "\n" in shown:
        line = shown[shown.index("\n") :].lstrip("\n")
        if line:
            return len(text) - len(line)
    word = next((at for at, each in enumerate(shown) if each.isspace()), 0)
    return start + word


def _blank(text: str) -> int:
    """Where the last blank of a text stands; -1 without one."""
    return next((at for at in range(len(text) - 1, -1, -1) if text[at].isspace()), -1)


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
    yield "equal", "".join(before[:first])
    old, new = before[first : len(before) - last], after[first : len(after) - last]
    if max(len(old), len(new)) > MOST_LINES:
        yield from _replaced(old, new, effort)
    else:
        for op, a, b, c, d in SequenceMatcher(None, old, new).get_opcodes():
            if op == "equal":
                yield "equal", "".join(old[a:b])
            else:
                yield from _replaced(old[a:b], new[c:d], effort)
    yield "equal", "".join(before[len(before) - last :])


def _replaced(old: Sequence[str], new: Sequence[str], effort: _Effort) -> Iterable[Operation]:
    """Lines in the place of others: of as many, each in the place of one."""
    if len(old) == len(new) <= MOST_LINES:
        for one, other in zip(old, new, strict=True):
            yield from _words(one, other, effort)
    else:
        yield from _words("".join(old), "".join(new), effort)


def _words(old: str, new: str, effort: _Effort) -> Sequence[Operation]:
    if old == new:
        return [("equal", old)]
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

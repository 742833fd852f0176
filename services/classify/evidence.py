"""The evidence of a tag: the best passages that speak for it, exact and few."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.classification import Evidence
from services.classify.text import Folded

MOST = 10
"""Passages kept per tag: what a reader looks at, whatever the length of the note."""


@dataclass(frozen=True, slots=True)
class Found:
    """A passage from word `first` to word `last` that speaks for a tag, with its weight.

    `key` is the same for passages that say the same: the first of each comes before repetitions.
    """

    field: Literal["subject", "body"]
    text: Folded
    first: int
    last: int
    source: str
    weight: float
    key: str
    region: str | None = None

    def evidence(self) -> Evidence:
        """The passage as the contract has it."""
        start, end = self.text.spans[self.first][0], self.text.spans[self.last][1]
        return Evidence(
            field=self.field,
            start=start,
            end=end,
            text=self.text.text[start:end],
            source=self.source,
            region=self.region,
        )


def evidence(found: Sequence[Found]) -> tuple[Evidence, ...]:
    """The best passages, distinct ones first, then the heavier, the subject's, the earlier."""
    ranked = sorted(found, key=lambda one: (-one.weight, one.field == "body", one.first))
    # One term may speak for several sub-themes of a theme: the passage is shown once.
    once: dict[tuple[str, int, int], Found] = {}
    for one in ranked:
        once.setdefault((one.field, one.first, one.last), one)
    seen: set[tuple[str, str]] = set()
    firsts: list[Found] = []
    others: list[Found] = []
    for one in once.values():
        (others if (one.key, one.source) in seen else firsts).append(one)
        seen.add((one.key, one.source))
        if len(firsts) >= MOST:
            break
    return tuple(one.evidence() for one in (firsts + others)[:MOST])

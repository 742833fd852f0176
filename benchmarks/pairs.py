"""Ours and its peer, one after the other again and again, and what their times say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

TRY_DIVISOR = 5
"""A try only shows that a row runs: a fifth of the notes, one pair, nothing kept."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How long a row may take: the short form of `make bench`, the full one, or a mere try."""

    full: bool
    trying: bool = False

    @property
    def pairs(self) -> int:
        """Pairs of a row: five give a median that one bad run cannot move."""
        if self.trying:
            return 1
        return 5 if self.full else 3

    def of(self, short: int, full: int) -> int:
        """That many notes, requests or seconds."""
        if self.trying:
            return max(1, short // TRY_DIVISOR)
        return full if self.full else short


@dataclass(slots=True)
class Measured:
    """One result: `value` is held against `goal`, `better` says which side of it is good."""

    row: str
    what: str
    value: float
    goal: float | None
    better: str = "higher"
    unit: str = "×"
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where the row is a report only."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal


@dataclass(frozen=True, slots=True)
class Pairs:
    """The figures of ours and of its peer, pair by pair."""

    ours: Sequence[float]
    peer: Sequence[float]

    @property
    def ratio(self) -> float:
        """The median of ours ÷ peer over the pairs."""
        return median(a / b for a, b in zip(self.ours, self.peer, strict=True))

    def figures(self, unit: str, peer: str = "peer") -> dict[str, Any]:
        """Medians and all ratios, as they are written down."""
        return {
            f"ours_{unit}": round(median(self.ours), 3),
            f"{peer}_{unit}": round(median(self.peer), 3),
            "ratios": [round(a / b, 3) for a, b in zip(self.ours, self.peer, strict=True)],
        }


def interleaved(pairs: int, ours: Callable[[int], float], peer: Callable[[int], float]) -> Pairs:
    """Both in turn; each is told the number of the pair, and gives its figure."""
    found: list[tuple[float, float]] = [(ours(at), peer(at)) for at in range(pairs)]
    return Pairs([a for a, _ in found], [b for _, b in found])


def p95(values: Sequence[float]) -> float:
    """The 95th percentile."""
    return quantiles(values, n=20, method="inclusive")[-1]

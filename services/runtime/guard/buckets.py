"""Token buckets: how often something may happen, for each who does it."""

from collections import OrderedDict
from collections.abc import Callable

REMEMBERED = 10_000
"""Buckets kept at once; the longest untouched is forgotten first, and is full again."""


class Buckets:
    """A bucket for each name: `burst` tokens, `rate` new ones a second; rate 0: no limit."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> float:
        """Take a token. 0 where there was one, else the seconds until the next."""
        wait = self.wait(name)
        if self._rate and not wait:
            self._kept[name] = self._tokens(name) - 1, self._clock()
            self._kept.move_to_end(name)
            if len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        return wait

    def wait(self, name: str) -> float:
        """Seconds until there is a token; 0 where there is one. Nothing is taken."""
        if not self._rate:
            return 0.0
        return max(0.0, (1 - self._tokens(name)) / self._rate)

    def _tokens(self, name: str) -> float:
        kept = self._kept.get(name)
        if kept is None:
            return self._burst
        tokens, at = kept
        return min(self._burst, tokens + (self._clock() - at) * self._rate)

"""Refusals of unknown callers: so many of one address are entered one by one, not whatever comes.

Anybody can be refused as often as he likes. Without a bound that fills the disk, 700 entries a
second from one machine.
"""

import time
from collections import Counter
from collections.abc import Callable

from services.runtime.guard.addresses import counted_as

SECONDS = 60.0
OF_ADDRESS = 30
"""In that time: whoever mistypes a key stays below, whoever tries keys shows."""
MOST_ADDRESSES = 1_000
"""Of which refusals are entered in that time; those of further ones are counted, so that one
network with many addresses does not get past the bound."""


class Unknown:
    """Counts the refusals of each address, a minute long; then begins anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = clock() + SECONDS
        self.entered: Counter[str] = Counter()

    def enters(self, address: str) -> bool:
        """Whether one more refusal there is entered by itself, which counts it."""
        if self._clock() >= self._until:
            self._until = self._clock() + SECONDS
            self.entered.clear()
        name = counted_as(address)
        if name not in self.entered and len(self.entered) >= MOST_ADDRESSES:
            return False
        if self.entered[name] >= OF_ADDRESS:
            return False
        self.entered[name] += 1
        return True

"""Writing pending receipts to the log, all at once where it takes them all."""

from collections.abc import Sequence
from typing import Protocol

from services.runtime.errors import Unprocessable
from services.runtime.log import Entry, Log
from services.runtime.registry import Key


class Writable(Protocol):
    """A receipt with the bytes of its event."""

    @property
    def key(self) -> Key:
        """The revision."""
        ...

    @property
    def event(self) -> bytes:
        """The bytes to append."""
        ...


async def append(log: Log, topic: str, receipts: Sequence[Writable]) -> set[Key]:
    """Write these to the log; the revisions that it can never take (too large), usually none.

    Raises Unavailable where the log is away.
    """
    if not receipts:
        return set()
    try:
        await log.append(topic, [_entry(each) for each in receipts])
    except Unprocessable:
        if len(receipts) == 1:
            return {receipts[0].key}
        # Which one it was, the log does not say.
        refused: set[Key] = set()
        for each in receipts:
            refused |= await append(log, topic, [each])
        return refused
    return set()


def _entry(receipt: Writable) -> Entry:
    return Entry(key=str(receipt.key.note_id).encode(), value=receipt.event)

"""Writing pending receipts to the log, all at once where it takes them all."""

from collections.abc import Sequence
from typing import Protocol

from services.ingest.outcomes import SERVICE
from services.runtime import metrics, tracing
from services.runtime.errors import Unprocessable
from services.runtime.log import Entry, Log
from services.runtime.registry import Key

TIME = metrics.STAGES.labels(SERVICE, "append")


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


async def append(
    log: Log, topic: str, receipts: Sequence[Writable], trace: str | None = None
) -> set[Key]:
    """Write these to the log; the revisions that it can never take (too large), usually none.

    `trace` is the traceparent to hand on with all of them; without it, each event's own holds.
    Raises Unavailable where the log is away.
    """
    if not receipts:
        return set()
    try:
        with TIME.time():
            await log.append(topic, [_entry(each, trace) for each in receipts])
    except Unprocessable:
        if len(receipts) == 1:
            return {receipts[0].key}
        # Which one it was, the log does not say.
        refused: set[Key] = set()
        for each in receipts:
            refused |= await append(log, topic, [each], trace)
        return refused
    return set()


def _entry(receipt: Writable, trace: str | None) -> Entry:
    return Entry(
        key=str(receipt.key.note_id).encode(),
        value=receipt.event,
        headers=tracing.headers(trace),
    )

"""Writing pending receipts to the log, all at once where it takes them all.

The log keeps the latest event of a note for ever, and no other: so the newest state must be the one
that is written last, whoever wrote an older one late (a relay after a crash, a submission sent
again, the slower of two changes). `settle` sees to it.
"""

from collections.abc import Sequence
from typing import Protocol

from services.ingest.outcomes import SERVICE
from services.runtime import metrics, tracing
from services.runtime.errors import Unprocessable
from services.runtime.log import Entry, Log
from services.runtime.registry import Key, Pending, Registry, aside

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


async def settle(
    registry: Registry, log: Log, topic: str, written: Sequence[Key], trace: str | None = None
) -> None:
    """Have it known that the log has these states, and that nothing older lies behind the newest.

    A newer state that was begun while one of these was on its way is written again behind it
    (the same event: applied once); only then are these no longer pending. So wherever this ends
    early, what is still pending is written and settled anew by the relay. Raises Unavailable.
    """
    known = list(written)
    while known:
        newer: list[Pending] = await aside(registry.mark_received, known)
        if not newer:
            return
        refused = await append(log, topic, newer, trace)
        if refused:
            # Its own request, or the relay, will find out and forget it; then these are settled.
            return
        known += [each.key for each in newer]


def _entry(receipt: Writable, trace: str | None) -> Entry:
    return Entry(
        key=str(receipt.key.note_id).encode(),
        value=receipt.event,
        headers=tracing.headers(trace),
    )

"""The relay: finishes receipts that a crash or an outage left between registry and log.

What it finishes is entered in the journal by whoever sent it, as all changes of notes are.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from schemas.topics import SUBMITTED
from services.ingest import outcomes
from services.ingest.appending import append, settle
from services.runtime.errors import Unavailable
from services.runtime.log import Log
from services.runtime.registry import Registry, aside

logger = logging.getLogger(__name__)

AGE_SECONDS = 6.0
"""A receipt younger than this may still be on its way in the request that began it."""
PAUSE_SECONDS = 2.0
"""Between two looks; the look itself is one query on a partial index that is nearly empty."""
MOST_PAUSE_SECONDS = 30.0
BATCH = 100


async def relay_forever(
    registry: Registry, log: Log, *, age: float = AGE_SECONDS, pause: float = PAUSE_SECONDS
) -> None:
    """Finish what is pending for longer than `age` seconds, again and again, until cancelled.

    Survives outages of both, waiting longer each time; several relays do no harm, as an event
    that is written twice is applied once.
    """
    wait = pause
    while True:
        try:
            found = await relay_once(registry, log, age=age)
            wait = 0.0 if found == BATCH else pause
        except Unavailable as error:
            wait = min(max(wait, pause) * 2, MOST_PAUSE_SECONDS)
            logger.warning("relay waits %g s: %s", wait, error.reason)
        except Exception:
            wait = MOST_PAUSE_SECONDS
            logger.exception("relay failed, tries again in %g s", wait)
        await asyncio.sleep(wait)


async def relay_once(registry: Registry, log: Log, *, age: float = AGE_SECONDS) -> int:
    """Finish up to BATCH receipts that are older than `age` seconds; how many were pending.

    One that the log can never take is forgotten: nobody was told that it was accepted. Raises
    Unavailable.
    """
    begun_before = datetime.now(UTC) - timedelta(seconds=age)
    pending = await aside(registry.pending, begun_before, limit=BATCH)
    refused = await append(log, SUBMITTED.name, pending)
    for key in refused:
        outcomes.too_large(str(key.note_id), None)
        await aside(registry.abandon, key)
    written = [each.key for each in pending if each.key not in refused]
    if written:
        await settle(registry, log, SUBMITTED.name, written)
        logger.info("relayed: %d pending notes", len(written))
    await aside(registry.enter_left, begun_before, limit=BATCH)
    return len(pending)

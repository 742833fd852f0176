"""Taking notes in: begun in the registry, written to the log, and only then said to be received."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from schemas.answers import State
from schemas.topics import SUBMITTED
from services.ingest import outcomes
from services.ingest.appending import append, settle
from services.runtime import tracing
from services.runtime.errors import Unavailable
from services.runtime.log import Log
from services.runtime.registry import (
    Begun,
    BegunCorrection,
    BegunRevision,
    Key,
    Obstacle,
    Registry,
    Sender,
    Submission,
    aside,
)

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 4.5
"""From the note to its receipt, or to a clear 503: under the 5 s that are promised."""

T = TypeVar("T")

ChangeT = TypeVar("ChangeT", BegunCorrection, BegunRevision)
"""What was begun of a note that is kept already."""


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The log can never take this note; nothing of it was kept."""


async def submit(
    registry: Registry,
    log: Log,
    submissions: Sequence[Submission],
    sender: Sender | None = None,
) -> list[Begun | TooLarge]:
    """What became of these submissions, in order; the log has all that are not in conflict, and the
    journal those that are accepted, as sent by `sender`.

    Raises Unavailable within ANSWER_SECONDS when registry or log is away: receipts that were begun
    stay pending, and the relay, or the same submission again, finishes them.
    """
    # Of one request, so of one trace.
    trace = submissions[0].event.trace if submissions else None
    until = asyncio.get_running_loop().time() + ANSWER_SECONDS
    begun = await by(until, aside(registry.begin, submissions, sender))
    # A pending duplicate is written too: whoever sent it first may not have come that far.
    waiting = {each.key: each for each in begun if each.event and each.state is State.PENDING}
    refused: set[Key] = set()
    if waiting:
        with tracing.span(outcomes.SERVICE, "append", trace) as handed_on:
            refused = await by(
                until, append(log, SUBMITTED.name, list(waiting.values()), handed_on)
            )
    for key in refused:
        await by(until, aside(registry.abandon, key))
    written = waiting.keys() - refused
    if written:
        try:
            await by(until, settle(registry, log, SUBMITTED.name, list(written)))
        except Unavailable as error:
            # The log has them, which is what was promised; the relay will write them once more.
            logger.warning("received, but not marked so yet: %s", error.reason)
    results: list[Begun | TooLarge] = []
    for each in begun:
        if each.event and each.key in refused:
            outcomes.too_large(str(each.note_id), trace)
            results.append(TooLarge())
        elif each.event and each.key in written:
            results.append(replace(each, state=State.RECEIVED))
        else:
            results.append(each)
    for result in results:
        if isinstance(result, Begun):
            outcomes.ended(result, trace)
    return results


async def change(
    registry: Registry, log: Log, begin: Callable[[], ChangeT | Obstacle], trace: str | None
) -> ChangeT | Obstacle | TooLarge:
    """What became of a change of a note that is kept already, which the registry is to `begin`;
    the log has it unless it met an obstacle.

    Raises Unavailable within ANSWER_SECONDS when registry or log is away: what was begun stays
    pending, and the relay, or the same change again, finishes it.
    """
    until = asyncio.get_running_loop().time() + ANSWER_SECONDS
    begun = await by(until, aside(begin))
    if isinstance(begun, Obstacle):
        return begun
    if begun.waiting:
        if not await _hand_over(registry, log, begun, trace, until):
            outcomes.too_large(str(begun.note_id), trace)
            return TooLarge()
        if begun.state is State.PENDING:
            begun = replace(begun, state=State.RECEIVED)
    outcomes.ended(begun, trace)
    return begun


async def _hand_over(
    registry: Registry,
    log: Log,
    begun: BegunCorrection | BegunRevision,
    trace: str | None,
    until: float,
) -> bool:
    """Have the log take a change of a note that was begun, behind what else of it still waits.

    False when the log can never take it: then it is forgotten. Raises Unavailable when registry or
    log is away; the change stays pending.
    """
    with tracing.span(outcomes.SERVICE, "append", trace) as handed_on:
        refused = await by(until, append(log, SUBMITTED.name, begun.waiting, handed_on))
    for key in refused:
        await by(until, aside(registry.abandon, key))
    if begun.key in refused:
        return False
    try:
        # Only its own: another's append of what else waited may still be under way, and whoever
        # sent that, or the relay, settles it.
        await by(until, settle(registry, log, SUBMITTED.name, [begun.key]))
    except Unavailable as error:
        # The log has it, which is what was promised; the relay will write it once more.
        logger.warning("received, but not marked so yet: %s", error.reason)
    return True


async def by(until: float, work: Awaitable[T]) -> T:
    """What `work` gives by that time of the loop's clock. Raises Unavailable when it does not."""
    try:
        async with asyncio.timeout_at(until):
            return await work
    except TimeoutError:
        raise Unavailable("the log or the registry takes too long") from None

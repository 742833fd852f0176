"""Many notes in one request: NDJSON in, one answer a line out, chunk by chunk."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

from schemas.access import Caller
from schemas.answers import LineAnswer, Problem
from schemas.marks import Level
from services.ingest import answers, outcomes
from services.ingest.accept import Accepted, Refused, accept
from services.ingest.body import Line, lines
from services.ingest.submit import submit
from services.runtime import problems
from services.runtime.errors import Unavailable
from services.runtime.log import Log
from services.runtime.registry import Registry, Sender

logger = logging.getLogger(__name__)

CHUNK_LINES = 200
"""One transaction and one write to the log for so many: beyond this, little is gained."""
CHUNK_BYTES = 4 * 1024 * 1024
"""Ends a chunk early, so that memory stays flat with long notes too."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What holds for every note of a request: its sender, longest line, guessed fields, trace.

    `named` is the sender as the journal names them, `approved` what this deployment may keep;
    `preview`: nothing is kept.
    """

    sender: Caller
    line_limit: int
    named: Sender | None = None
    defaulted: frozenset[str] = frozenset()
    trace: str | None = None
    approved: frozenset[Level] = frozenset()
    preview: bool = False


Read = tuple[int, Accepted | Problem]
"""The number of a line, and what was read in it."""


async def submit_lines(
    registry: Registry, log: Log, file: IO[bytes], manner: Manner
) -> AsyncIterator[LineAnswer]:
    """The answer to each line of the file that is not blank, in order.

    When registry or log turn out to be away, the rest is answered with 503 at once: waiting anew
    for every chunk would take longer than sending those lines again.
    """
    source = lines(file, manner.line_limit)
    away: Problem | None = None
    while chunk := await asyncio.to_thread(_read_chunk, source, manner):
        if away is None:
            try:
                answered = await _submit_chunk(registry, log, chunk, manner)
            except Unavailable as error:
                logger.warning("unavailable from line %d on: %s", chunk[0][0], error.reason)
                away = problems.away(error)
        if away is not None:
            answered = [
                answers.refused_line(number, read if isinstance(read, Problem) else away)
                for number, read in chunk
            ]
        for answer in answered:
            yield answer


async def _submit_chunk(
    registry: Registry, log: Log, chunk: Sequence[Read], manner: Manner
) -> list[LineAnswer]:
    good = [read.submission for _, read in chunk if isinstance(read, Accepted)]
    results = iter(await submit(registry, log, good, manner.named)) if good else iter(())
    for _, read in chunk:
        if isinstance(read, Problem):
            outcomes.refused(read, manner.trace)
    return [
        answers.refused_line(number, read)
        if isinstance(read, Problem)
        else answers.line(number, next(results), read)
        for number, read in chunk
    ]


def _read_chunk(source: Iterator[Line], manner: Manner) -> list[Read]:
    chunk: list[Read] = []
    size = 0
    for line in source:
        chunk.append((line.number, _read(line, manner)))
        size += len(line.raw or b"")
        if len(chunk) == CHUNK_LINES or size >= CHUNK_BYTES:
            break
    return chunk


def _read(line: Line, manner: Manner) -> Accepted | Problem:
    if line.raw is None:
        return problems.problem(
            413, detail=f"La ligne dépasse la taille admise de {manner.line_limit} octets."
        )
    try:
        return accept(
            line.raw,
            sender=manner.sender,
            now=datetime.now(UTC),
            trace=manner.trace,
            defaulted=manner.defaulted,
            approved=manner.approved,
        )
    except Refused as refusal:
        return refusal.problem

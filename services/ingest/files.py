"""Notes sent as files: read apart, submitted, their originals kept; one document or several."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Any, TypeGuard

from schemas.answers import IngestOutcome, LineAnswer, Problem
from schemas.marks import needed
from services.ingest import answers, outcomes
from services.ingest.accept import Accepted
from services.ingest.documents import Reading, cover_name, readings
from services.ingest.form import Form
from services.ingest.formats import Document
from services.ingest.formats.apart import extract_apart
from services.ingest.formats.turns import Asker, Turns
from services.ingest.many import CHUNK_LINES, Manner
from services.ingest.submit import TooLarge, submit
from services.runtime import problems
from services.runtime.access.rights import EVERYTHING
from services.runtime.errors import Unavailable
from services.runtime.log import Log
from services.runtime.originals import Originals
from services.runtime.registry import Begun, Key, OriginalRow, Registry, Sender, aside

logger = logging.getLogger(__name__)

NOT_KEPT = "le document d'origine n'est pas conservé par ce déploiement"
NOT_LOOKED_INTO = (
    "un fichier joint au document n’a pas pu être examiné : le document d’origine n’est remis qu’à "
    "qui peut lire toutes les mentions"
)
PLAIN = "application/octet-stream"

Result = Begun | TooLarge


async def read_file(
    form: Form,
    metadata: Mapping[str, Any],
    manner: Manner,
    turns: Turns,
    stays: Set[str] = frozenset(),
) -> list[Reading]:
    """What the documents in a form's file are as notes, with these metadata; at least one. `stays`
    as for `documents.readings`.

    Raises Refused for metadata that only one document can have, and Unavailable where no process
    can be started to read it, or the sender's turn does not come.
    """
    try:
        asker = Asker(manner.sender.id, manner.preview)
        documents = await extract_apart(
            await form.content(), form.name, form.media_type, turns, asker
        )
    except OSError as error:
        raise Unavailable(f"no process to read the document: {error}") from error
    return await asyncio.to_thread(
        readings,
        documents,
        metadata,
        sender=manner.sender,
        now=datetime.now(UTC),
        trace=manner.trace,
        guessed=manner.defaulted,
        approved=manner.approved,
        stays=stays,
    )


async def submit_documents(
    registry: Registry,
    log: Log,
    originals: Originals | None,
    read: Sequence[Reading],
    sender: Sender | None = None,
) -> list[Result | Problem]:
    """What became of these documents, in order: the log has all that are not in conflict, and the
    store has their originals.

    An original is kept after its note and before anyone is told: whoever hears nothing sends again
    and gets both. Raises Unavailable.
    """
    good = [each.found.submission for each in read if isinstance(each.found, Accepted)]
    results = iter(await submit(registry, log, good, sender)) if good else iter(())
    found: list[Result | Problem] = []
    for each in read:
        result = each.found if isinstance(each.found, Problem) else next(results)
        if _taken(result) and originals is not None:
            await keep_original(registry, originals, result.key, each)
        found.append(result)
    return found


async def answer_lines(
    registry: Registry,
    log: Log,
    originals: Originals | None,
    read: Sequence[Reading],
    manner: Manner,
) -> AsyncIterator[LineAnswer]:
    """The answer to each of several documents; what comes after an outage is answered with 503."""
    away: Problem | None = None
    for at in range(0, len(read), CHUNK_LINES):
        chunk = read[at : at + CHUNK_LINES]
        results: Sequence[Result | Problem] = ()
        if away is None:
            try:
                results = await submit_documents(registry, log, originals, chunk, manner.named)
            except Unavailable as error:
                logger.warning("unavailable from document %d on: %s", at + 1, error.reason)
                away = problems.away(error)
        if away is not None:
            results = [each.found if isinstance(each.found, Problem) else away for each in chunk]
        for number, (each, result) in enumerate(zip(chunk, results, strict=True), start=at + 1):
            yield _line(number, each, result, warnings(each, originals), manner.trace)


def warnings(reading: Reading, originals: Originals | None) -> tuple[str, ...]:
    """What the sender of a document that is taken should know, in French."""
    own = reading.found.warnings if isinstance(reading.found, Accepted) else ()
    if originals is None:
        return (*own, NOT_KEPT)
    unseen = reading.document is not None and reading.document.unseen
    return (*own, NOT_LOOKED_INTO) if unseen else own


def _line(
    number: int,
    reading: Reading,
    result: Result | Problem,
    warned: tuple[str, ...],
    trace: str | None,
) -> LineAnswer:
    if isinstance(result, Problem):
        outcomes.refused(result, trace)
        answer = answers.refused_line(number, result)
    else:
        assert isinstance(reading.found, Accepted)
        answer = answers.line(number, result, Accepted(reading.found.submission, warned))
    return answer.model_copy(update={"name": reading.name or None, "read": reading.read})


def _taken(result: Result | Problem) -> TypeGuard[Begun]:
    return isinstance(result, Begun) and result.outcome is not IngestOutcome.CONFLICT


async def keep_original(
    registry: Registry, originals: Originals, key: Key, reading: Reading
) -> None:
    """Keep the document in which this revision was read. Raises Unavailable."""
    assert reading.document is not None
    document = reading.document
    address = await asyncio.to_thread(originals.put, document.original)
    row = OriginalRow(
        sha256=address,
        name=document.name.rpartition("/")[2][-500:] or "document",
        media_type=document.media_type[:200] or PLAIN,
        bytes=len(document.original),
        needs=EVERYTHING if document.unseen else 0,
        holds=(*document.holds, *reading.holds),
    )
    await aside(registry.keep_original, key, row)
    for cover in document.covers:
        await _keep_cover(registry, originals, key, cover, reading.beside)


async def _keep_cover(
    registry: Registry, originals: Originals, key: Key, cover: Document, held: Sequence[str]
) -> None:
    """Keep a mail that only brought this revision along; whoever gets it must be able to see all
    that it holds. Raises Unavailable."""
    seen = cover.marks
    row = OriginalRow(
        sha256=await asyncio.to_thread(originals.put, cover.original),
        name=cover_name(cover)[-500:],
        media_type=cover.media_type,
        bytes=len(cover.original),
        needs=EVERYTHING if cover.unseen else needed(seen.marking, seen.special_france),
        holds=(*cover.holds, *held),
    )
    await aside(registry.keep_cover, key, row)

"""One note for one reader: the note with its tags, and what happened to it."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from schemas.access import Caller
from schemas.answers import NoteView, State, Trace, TraceStep
from schemas.classification import Classification
from schemas.events import ClassifiedNote, NoteEvent
from services.runtime.access.rights import audience_for, event_for
from services.runtime.errors import Unavailable
from services.runtime.problems import ProblemError
from services.runtime.registry import ReceiptRow, Registry, aside
from services.search import french
from services.search.citations import Links
from services.search.disagreement import disagreement
from services.search.document import Tags, links, tags_in_force
from services.search.index import Index
from services.search.superseded import kept_from

ORDER = ("received", "classified", "indexed", "alerted", "parked")
"""Steps of the same instant, in the order in which they happen."""


async def note_for(
    caller: Caller, note_id: str, index: Index, registry: Registry
) -> ClassifiedNote:
    """The latest state of the note with this id, as given in an address, as this caller sees it.

    Raises ProblemError: 404 for a note that is unknown or not for this caller (nothing tells one
    from the other), also where a revision that is not indexed yet keeps something of it from them;
    410 for one that was withdrawn. Raises Unavailable.
    """
    event = await index.get(note_id_of(note_id))
    audience = None if event is None else audience_for(caller, event.note)
    if event is None or audience is None:
        raise unknown_note()
    if kept := await kept_from(caller, [event], registry):
        withdrawal = kept[event.note_id].withdrawal
        release = event.classification.release
        raise unknown_note() if withdrawal is None else withdrawn_note(withdrawal, release)
    if event.withdrawn:
        raise withdrawn_note(event, event.classification.release)
    # Off the event loop: a report may have hundreds of passages and thousands of tags' places.
    return await asyncio.to_thread(event_for, event, audience)


async def trace_for(caller: Caller, note_id: str, index: Index, registry: Registry) -> Trace:
    """Where the note with this id is, and how it got there.

    Raises ProblemError (404) for a note that nobody submitted or that is not for this caller.
    Raises Unavailable.
    """
    wanted = note_id_of(note_id)
    receipt = await aside(registry.receipt, wanted)
    try:
        event = await index.get(wanted)
    except Unavailable:
        # The registry knows where the note is, and the index may be what it is waiting for.
        if receipt is None:
            raise
        event = None
    # Of every state that is known, the newest one is in the registry: a note that was marked since
    # it was indexed is not for those who could read it before.
    notes = [row.event.note for row in await aside(registry.history, wanted, limit=1)]
    notes += [event.note] if event is not None else []
    audiences = [audience_for(caller, note) for note in notes]
    if not audiences or None in audiences:
        raise unknown_note()
    if event is not None:
        audience = min(each for each in audiences if each is not None)
        # A passage that was marked since: what was found may speak of it.
        kept = await kept_from(caller, [event], registry)
        event = None if kept else event_for(event, audience)
    return trace(wanted, receipt, await aside(registry.trace, wanted), event)


async def journey(event: ClassifiedNote, registry: Registry) -> Trace:
    """The trace of a note that is at hand; what its event says where the registry is away."""
    try:
        receipt = await aside(registry.receipt, event.note_id)
        known = await aside(registry.trace, event.note_id)
    except Unavailable:
        return trace(event.note_id, None, (), event)
    return trace(event.note_id, receipt, known, event)


def view(event: ClassifiedNote, cited: Links | None = None) -> NoteView:
    """The note as a reader gets it: the tags that hold now, whose they are, and what was found."""
    tags = tags_in_force(event)
    return NoteView(
        id=event.note_id,
        revision=event.revision,
        state=State.WITHDRAWN if event.withdrawn else State.INDEXED,
        received_at=event.received_at,
        changed_at=event.at,
        note=event.note,
        release=event.classification.release,
        themes=tags.themes,
        countries=tags.countries,
        organisations=tags.organisations,
        tags_from="classifier" if event.correction_tags is None else "reader",
        correction=event.correction,
        found=event.classification,
        disagreement=disagreement(event.note, event.classification),
        cites=cited.cites if cited else (),
        cited_by=cited.cited_by if cited else (),
        links=links(event.note_id),
    )


def etag(event: ClassifiedNote, stamp: str = "") -> str:
    """The note's version, readable: revision, correction and classifier's release.

    `stamp`, letters, is added for what is told of other notes beside it.
    """
    version = _version(event, event.classification.release)
    return f'{version[:-1]}-{stamp}"' if stamp else version


def _version(event: NoteEvent, release: int) -> str:
    return f'"{event.revision}.{event.correction}.{release}"'


def trace(
    note_id: UUID,
    receipt: ReceiptRow | None,
    known: Sequence[TraceStep],
    event: ClassifiedNote | None,
) -> Trace:
    """What the registry knows of a note put together with what its document says.

    At least one of `receipt` and `event` is given. A note that came back from the log alone (the
    registry was lost) still has the times that travel in its event.
    """
    steps = list(known)
    if event is not None:
        if not any(step.step == "received" for step in steps):
            steps.append(
                TraceStep(
                    step="received",
                    at=event.received_at,
                    detail=f"Note reçue (révision {event.revision})",
                )
            )
        steps.append(
            TraceStep(step="classified", at=event.classified_at, detail=_classified(event))
        )
    steps.sort(key=lambda step: (step.at, ORDER.index(step.step)))
    if receipt is not None:
        return Trace(id=note_id, revision=receipt.revision, state=receipt.state, steps=steps)
    assert event is not None
    return Trace(id=note_id, revision=event.revision, state=view(event).state, steps=steps)


def unknown_note() -> ProblemError:
    """The answer for a note that is not there, or not for this reader."""
    return ProblemError(
        404,
        "Note introuvable",
        "Aucune note reçue ne porte cet identifiant, ou elle ne vous est pas accessible. Une note "
        "tout juste reçue ne se lit qu'une fois indexée ; son parcours, lui, se suit aussitôt.",
    )


def withdrawn_note(event: NoteEvent, release: int | None = None) -> ProblemError:
    """Return the answer for a note that its post took back, to whoever could read it before; with
    the ETag by which it is reinstated, where the classifier's release is known."""
    return ProblemError(
        410,
        "Note retirée",
        f"Cette note a été retirée par le poste le {french.moment(event.at)}.",
        headers=None if release is None else {"ETag": _version(event, release)},
    )


def note_id_of(text: str) -> UUID:
    """The id in an address. Raises ProblemError (404)."""
    try:
        return UUID(text)
    except ValueError:
        raise unknown_note() from None


def _classified(event: ClassifiedNote) -> str:
    found = event.classification
    said = (
        f"Révision {event.revision} classée (version {found.release} du classement) : "
        f"{_labels(found)}"
    )
    if event.correction_tags is None:
        return said
    return f"{said} ; en vigueur, corrigé par un lecteur : {_labels(tags_in_force(event))}"


def _labels(tags: Tags | Classification) -> str:
    labels = [french.theme(tag.theme) for tag in tags.themes]
    labels += [french.country(tag.country) for tag in tags.countries if tag.role == "about"]
    return ", ".join(labels) or "aucun thème ni pays"

"""Dead letters for administrators: what could not be processed, what to do, and once more.

A replay writes the bytes back to the topic where they lay, under the same key, with a header that
names the letter: parked once more, it is the same letter. Nothing is replayed that would put
something older, or something unreadable, behind a note's newest state on the log.
"""

import base64
from datetime import UTC, datetime

from schemas.access import Caller, Role
from schemas.administration import (
    Bytes,
    DeadLetterDetail,
    DeadLetterPage,
    DeadLetterView,
    LetterState,
    NotReplayed,
    Replayed,
)
from schemas.answers import State
from schemas.events import ClassifiedNote, NoteEvent, UnreadableEvent, decode
from schemas.topics import CLASSIFIED, SUBMITTED
from services.runtime.access.rights import sees_every_mark, sees_whole
from services.runtime.dead_letters import LETTER
from services.runtime.errors import Unavailable, Unprocessable
from services.runtime.log import Entry, Log
from services.runtime.problems import ProblemError
from services.runtime.registry import Key, LetterFilter, LetterRow, ParkedRow, Registry, aside
from services.runtime.registry.letters import correction_of, key_of
from services.search import last_word
from services.search.index import Index
from services.search.superseded import kept_from

AT_ONCE = 200
"""Letters looked at by one request for many: whoever asks goes on from where it ended."""

EVENTS: dict[str, type[NoteEvent]] = {SUBMITTED.name: NoteEvent, CLASSIFIED.name: ClassifiedNote}
"""The topics that a letter can go back to, and what is read there."""

HINTS = (
    (
        "bytes not parked",
        "L'enregistrement était trop volumineux pour être conservé ici ; il reste à son origine "
        "dans le journal. Demander au poste un envoi plus court. Rien à relancer.",
    ),
    (
        "at most",
        "L'événement dépasse la taille admise par le journal, une fois la note classée. Demander "
        "au poste un envoi plus court ; relancer ne sert à rien.",
    ),
    (
        "not an event of",
        "Ces octets ne sont pas un événement que cette version sait lire. Si une version plus "
        "récente les a écrits, mettre à jour search, puis classify, puis relancer. Sinon un "
        "programme écrit dans le journal sans passer par la réception : le trouver ; les posts "
        "renvoient leurs notes.",
    ),
    (
        "key",
        "La clé n'est pas celle de la note : un programme écrit dans le journal sans passer par "
        "la réception. Le trouver et l'arrêter ; relancer ne sert à rien.",
    ),
    (
        "refused by the index",
        "L'index refuse ce document. Corriger la définition de l'index ou mettre à jour search, "
        "puis relancer.",
    ),
    (
        "unexpected:",
        "Le programme a rencontré une erreur imprévue sur ce seul enregistrement. Son origine est "
        "dans les traces du service ; signaler la ligne, mettre à jour, puis relancer.",
    ),
    (
        "not a dead letter",
        "Un programme étranger a écrit sur ce topic, qui n'appartient qu'aux services. Le "
        "trouver ; rien à relancer.",
    ),
)
WITHHELD = (
    " Ses octets, qui peuvent contenir une note, ne sont montrés qu'à une clé qui peut la lire en "
    "entier."
)
OTHERWISE = "Lire le motif et les traces du service, corriger la cause, puis relancer."


class Refused(Exception):
    """This letter is not to be replayed; the message says why, in French."""


async def page(
    registry: Registry, wanted: LetterFilter, size: int, before: int | None
) -> DeadLetterPage:
    """A page of the letters that fit, newest first. Raises Unavailable."""
    rows = await aside(registry.letters, wanted, size + 1, before=before)
    shown = rows[:size]
    return DeadLetterPage(
        letters=[view(row) for row in shown], next=shown[-1].id if len(rows) > size else None
    )


async def detail(registry: Registry, number: int, caller: Caller) -> DeadLetterDetail:
    """The letter of that number; its value for a caller who may read all that may be in it.

    Raises ProblemError (404), Unavailable.
    """
    short, whole = await _found(registry, number)
    shown = await _may_read(caller, whole, registry)
    return DeadLetterDetail(
        **view(short).model_dump(),
        hint=hint(whole.reason) + ("" if shown else WITHHELD),
        key=None if whole.key is None else as_text(whole.key),
        value=as_text(whole.value) if shown and whole.value is not None else None,
        headers={name: as_text(value) for name, value in whole.headers.items()},
    )


async def replay_one(registry: Registry, log: Log, index: Index, number: int) -> DeadLetterView:
    """Replay that letter; how it stands then. Raises ProblemError (404, 409), Unavailable."""
    _, whole = await _found(registry, number)
    try:
        await replay(registry, log, index, whole)
    except Refused as why:
        raise ProblemError(409, "Relance sans objet", str(why)) from None
    short, _ = await _found(registry, number)
    return view(short)


async def replay_many(
    registry: Registry, log: Log, index: Index, wanted: LetterFilter, after: int = 0
) -> Replayed:
    """Replay the parked letters that fit, oldest first, of those behind number `after`.

    One that was replayed and has not come back is left alone, for ten minutes. Raises Unavailable:
    what was replayed by then is, and asking again goes on.
    """
    rows = await aside(registry.letters, wanted, AT_ONCE, after=after, standing=True)
    refused: list[NotReplayed] = []
    for row in rows:
        found = await aside(registry.letter, row.id)
        if found is None:
            continue  # expunged meanwhile
        try:
            await replay(registry, log, index, found[1])
        except Refused as why:
            refused.append(NotReplayed(number=row.id, detail=str(why)))
    return Replayed(
        replayed=len(rows) - len(refused),
        refused=refused,
        next=rows[-1].id if len(rows) == AT_ONCE else None,
    )


async def replay(registry: Registry, log: Log, index: Index, letter: ParkedRow) -> None:
    """Write the letter's bytes back to where they lay. Raises Refused, Unavailable."""
    topic = letter.origin.rsplit("/", 2)[0]
    if topic not in EVENTS:
        raise Refused("Cet enregistrement ne vient pas d'un topic des notes.")
    if letter.value == b"":
        raise Refused("Ses octets n'ont pas été conservés.")
    written = await _state_after(registry, index, letter, topic)
    # Counted first: it may be parked again before the next line runs.
    await aside(registry.mark_replayed, letter.id, datetime.now(UTC))
    headers = {**letter.headers, LETTER: letter.origin.encode()}
    try:
        await log.append(topic, [Entry(letter.key, letter.value, headers)])
    except (Unavailable, Unprocessable) as error:
        await aside(registry.mark_returned, letter.id)
        if isinstance(error, Unavailable):
            raise
        raise Refused(f"Le journal n'admet pas cet enregistrement ({error.reason}).") from None
    if written is not None:
        await last_word.settle(log, registry, written.note_id, written)


async def _state_after(
    registry: Registry, index: Index, letter: ParkedRow, topic: str
) -> Key | None:
    """The note's state that the log would end in; None where the key is no known note's.

    Raises Refused where that is not the note's newest.
    """
    note_id = key_of(letter)
    newest = None if note_id is None else await aside(registry.newest, note_id)
    if note_id is None or newest is None:
        return None
    try:
        event = decode(EVENTS[topic], letter.value or b"")
    except UnreadableEvent:
        raise Refused(
            "Cette version ne sait toujours pas lire ces octets : ils seraient remis à l'écart et "
            "masqueraient dans le journal le dernier état de la note."
        ) from None
    if event.note_id != note_id:
        raise Refused("La clé est celle d'une autre note, dont le dernier état serait masqué.")
    state_of_it = Key(note_id, event.revision, correction_of(letter))
    known = await index.get(note_id) if isinstance(event, ClassifiedNote) else None
    if state_of_it < newest.key or (
        known is not None and isinstance(event, ClassifiedNote) and event.version < known.version
    ):
        raise Refused("Un état plus récent de la note est arrivé depuis : celui-ci est dépassé.")
    return state_of_it


async def _may_read(caller: Caller, letter: ParkedRow, registry: Registry) -> bool:
    """Whether the caller may read the note in a letter, as far as it is known today; where none can
    be read in it, whether they may read any.
    """
    try:
        model = EVENTS.get(letter.origin.rsplit("/", 2)[0], NoteEvent)
        event = decode(model, letter.value or b"")
    except UnreadableEvent:
        return caller.may(Role.READ) and sees_every_mark(caller.reader)
    return sees_whole(caller, event.note) and not await kept_from(caller, [event], registry)


def view(row: LetterRow) -> DeadLetterView:
    """A letter as the API lists it."""
    return DeadLetterView(
        number=row.id,
        state=state(row),
        service=row.service,
        origin=row.origin,
        reason=row.reason,
        at=row.at,
        note_id=row.note_id,
        revision=row.revision,
        note_state=row.note_state,
        replays=row.replays,
        replayed_at=row.replayed_at,
        bytes=row.size,
    )


def state(row: LetterRow) -> LetterState:
    """Where a letter is."""
    if row.returns >= row.replays or row.lost(datetime.now(UTC)):
        return LetterState.PARKED
    settled = row.note_state in (State.INDEXED, State.WITHDRAWN)
    return LetterState.SETTLED if settled else LetterState.REPLAYED


def hint(reason: str) -> str:
    """What to do about letters with a reason of this class, in French."""
    return next((said for sign, said in HINTS if sign in reason), OTHERWISE)


def as_text(value: bytes) -> Bytes:
    """Bytes for JSON."""
    try:
        return Bytes(encoding="text", data=value.decode())
    except UnicodeDecodeError:
        return Bytes(encoding="base64", data=base64.b64encode(value).decode())


async def check(registry: Registry, number: int) -> None:
    """Raises ProblemError (404) where no letter has this number, Unavailable."""
    await _found(registry, number)


async def _found(registry: Registry, number: int) -> tuple[LetterRow, ParkedRow]:
    found = await aside(registry.letter, number)
    if found is None:
        raise ProblemError(404, "Mise à l'écart inconnue", "Aucune ne porte ce numéro.")
    return found

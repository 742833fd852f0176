"""The journal over HTTP, for administrators: its entries, and whether its chain is whole."""

import asyncio
import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request

from schemas.access import Role
from schemas.journal import Action, JournalCheck, JournalEntry, JournalPage
from schemas.moments import Moment
from schemas.note import STORABLE
from services.runtime import problems
from services.runtime.access.gate import needs
from services.runtime.journal import record
from services.runtime.journal.check import Check, parse_head
from services.runtime.problems import ProblemError
from services.runtime.registry import EntryRow, Head, JournalFilter, Registry, aside
from services.search.journal_who import ids_of

PATH = "/api/v1/journal"
USUAL, MOST = 50, 500
MAX_NUMBER = 2**53 - 1
CHECKED_AT_ONCE = 2_000
"""Entries read and checked in one piece: some 20 ms, in a thread."""

Who = Annotated[
    str | None,
    Query(max_length=200, pattern=STORABLE, description="Qui : « key:12 », ou un nom"),
]
What = Annotated[Action | None, Query(description="L'action")]
Note = Annotated[UUID | None, Query(description="La note en cause")]
About = Annotated[
    str | None,
    Query(alias="object", max_length=200, pattern=STORABLE, description="Autre objet : « key:12 »"),
]
Since = Annotated[Moment | None, Query(alias="from", description="À partir de ce moment")]
Until = Annotated[Moment | None, Query(alias="to", description="Avant ce moment")]
Before = Annotated[
    int | None, Query(ge=1, le=MAX_NUMBER, description="« next » de la page précédente")
]
Noted = Annotated[
    str | None,
    Query(max_length=100, pattern=STORABLE, description="Entrée relevée : NUMÉRO:EMPREINTE"),
]


def router(registry: Registry) -> APIRouter:
    """`/api/v1/journal`."""
    routes = APIRouter(tags=["administration"], dependencies=[needs(Role.ADMINISTER)])

    @routes.get(
        PATH,
        summary="Le journal des accès, de l'entrée la plus récente à la plus ancienne",
        responses=problems.responses(422, 503),
    )
    async def listed(
        request: Request,
        who: Who = None,
        action: What = None,
        note: Note = None,
        about: About = None,
        since: Since = None,
        until: Until = None,
        before: Before = None,
        size: Annotated[int, Query(ge=1, le=MOST)] = USUAL,
    ) -> JournalPage:
        named = str(note) if note else about
        whom = None if who is None else await aside(ids_of, registry, who)
        wanted = JournalFilter(whom, action, named, since, until)
        rows = await aside(registry.journal_page, wanted, before, size + 1)
        shown = rows[:size]
        record(request, Action.ADMINISTERED, "journal", what="journal_read", **_asked(wanted))
        return JournalPage(
            entries=[entry(row) for row in shown],
            next=shown[-1].number if len(rows) > size else None,
        )

    @routes.get(
        f"{PATH}/verify",
        summary="Vérifier que rien n'a été modifié, retiré ni ajouté dans le journal",
        responses=problems.responses(422, 503),
    )
    async def verify(request: Request, head: Noted = None) -> JournalCheck:
        noted = None if head is None else parse_head(head)
        if head is not None and noted is None:
            wrong = [{"field": "head", "detail": "écrire NUMÉRO:EMPREINTE, comme relevé"}]
            raise ProblemError(422, errors=wrong)
        found = await _checked(registry, noted)
        record(request, Action.ADMINISTERED, "journal", what="journal_verified", whole=found.whole)
        return found

    return routes


async def _checked(registry: Registry, noted: Head | None) -> JournalCheck:
    """The check of the chain as it stands now. Raises Unavailable."""
    end = (await aside(registry.journal_head)).number
    anchor, rows = await _beginning(registry, end)
    check = Check(anchor, noted)
    while rows:
        await asyncio.to_thread(check.feed, rows)
        rows = await aside(registry.journal_after, rows[-1].number, end, CHECKED_AT_ONCE)
    return check.result()


async def _beginning(registry: Registry, end: int) -> tuple[EntryRow | None, list[EntryRow]]:
    """The latest anchor and the oldest entries, of one moment: no pruning came between them."""
    anchor = await aside(registry.journal_anchor)
    while True:
        rows = await aside(registry.journal_after, 0, end, CHECKED_AT_ONCE)
        now = await aside(registry.journal_anchor)
        if now == anchor:
            return anchor, rows
        anchor = now


def entry(row: EntryRow) -> JournalEntry:
    """An entry as the API answers it."""
    draft = row.draft
    return JournalEntry(
        number=row.number,
        id=draft.id,
        at=draft.at,
        who=draft.who,
        name=draft.name,
        action=draft.action,
        object=draft.object,
        details=_details(draft.details),
        address=draft.address,
        hash=row.hash,
    )


def _details(text: str) -> dict[str, Any]:
    """An entry's details; what was tampered with is shown as it stands."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"unreadable": text}


def _asked(wanted: JournalFilter) -> dict[str, str]:
    """The filters with which the journal was read."""
    given = {
        "of": ", ".join(wanted.who) if isinstance(wanted.who, tuple) else wanted.who,
        "action": wanted.action,
        "about": wanted.object,
        "from": _iso(wanted.since),
        "to": _iso(wanted.until),
    }
    return {name: value for name, value in given.items() if value is not None}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()

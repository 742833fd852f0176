"""The journal as administrators see it: who did what and when, and whether the chain is whole."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from schemas.note import Frozen


class Action(StrEnum):
    """What was done."""

    SEARCHED = "searched"
    READ = "read"
    """A note, its revisions or its trace, or a post's list of its notes."""
    DOWNLOADED = "downloaded"
    FOLLOWED = "followed"
    SUBMITTED = "submitted"
    RECTIFIED = "rectified"
    WITHDRAWN = "withdrawn"
    CORRECTED = "corrected"
    ADMINISTERED = "administered"
    SIGNED_IN = "signed_in"
    """A browser's session began, by a key, a link or an identity provider; or a link was made."""
    SIGNED_OUT = "signed_out"
    REFUSED = "refused"
    """Access was refused (401, 403)."""
    PRUNED = "pruned"
    """The oldest entries were removed, as the retention has it; `object` is the last one's number,
    and the details hold its hash, which the next entry follows."""


READINGS = frozenset({Action.SEARCHED, Action.READ, Action.DOWNLOADED, Action.FOLLOWED})
"""What changes nothing: entered some moments after the answer."""


class JournalEntry(Frozen):
    """One entry. `hash` is the SHA-256 of the entry before it and of this one."""

    number: int
    id: UUID
    at: datetime
    who: str = Field(description="« key:12 » ; vide : inconnu ; « valise » : le service lui-même")
    name: str
    action: str
    object: str = Field(description="Note, clé, fil… selon l'action")
    details: dict[str, Any]
    address: str = Field(description="Adresse du client ; vide : inconnue")
    hash: str


class JournalPage(Frozen):
    """Entries, the newest first; `next` is the `before` of the page that goes on."""

    entries: list[JournalEntry]
    next: int | None


class JournalFault(Frozen):
    """A place where the chain is not whole, and what is wrong there (French)."""

    number: int
    detail: str


class JournalCheck(Frozen):
    """What came of checking the whole chain; `head` is to be noted outside of the database."""

    whole: bool
    entries: int
    first: int | None
    head: str | None = Field(description="Dernière entrée : NUMÉRO:EMPREINTE")
    faults: list[JournalFault] = Field(description="Les premières anomalies trouvées")

"""The journal's chain: what an entry is, and the hash that binds it to the one before. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

Detail = str | int | bool | Sequence[str | int]

FIRST_FOLLOWS = "0" * 64
"""Stands for the hash before the first entry."""

MOST_DETAILS = 16_000
"""Characters of an entry's details: the longest words of a search, 1,000 signs of which each takes
twelve where none can be seen, and dozens of filters."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be entered. `id` is its own: written twice after an outage, it is entered once."""

    id: UUID
    at: datetime
    who: str
    name: str
    action: str
    object: str
    details: str
    address: str


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry as it is kept."""

    number: int
    draft: Draft
    hash: str


class Head(NamedTuple):
    """The newest entry: its number and hash. Before the first one: 0."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


EMPTY = Head(0, FIRST_FOLLOWS)


MOST_OF_ONE = 12_000
"""Of these, for one text in details that are too long."""


def written(details: Mapping[str, Detail]) -> str:
    """Details as they are kept and hashed: JSON with sorted names. Where that is too long, long
    lists are left out; what somebody typed stays, up to a length that nobody can type."""
    text = _json(dict(sorted(details.items())))
    if len(text) <= MOST_DETAILS:
        return text
    kept = {
        name: value[:MOST_OF_ONE] if isinstance(value, str) else value
        for name, value in details.items()
        if isinstance(value, str) or len(_json(value)) <= 200
    }
    return _json(dict(sorted(kept.items())) | {"cut": True})


def link(previous: str, number: int, draft: Draft) -> str:
    """The hash of that entry: SHA-256, in hexadecimal, of the previous one's hash and all it says.

    The canonical form is a JSON list, so that no two entries are written alike.
    """
    said = [
        number,
        str(draft.id),
        draft.at.astimezone(UTC).isoformat(timespec="microseconds"),
        draft.who,
        draft.name,
        draft.action,
        draft.object,
        draft.details,
        draft.address,
    ]
    return sha256(f"{previous}\n{_json(said)}".encode()).hexdigest()


def chained(head: Head, drafts: Sequence[Draft]) -> list[EntryRow]:
    """These as the entries that follow `head`."""
    rows = []
    for draft in drafts:
        number = head.number + 1
        head = Head(number, link(head.hash, number, draft))
        rows.append(EntryRow(number, draft, head.hash))
    return rows


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

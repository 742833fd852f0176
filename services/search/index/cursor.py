"""Cursors: where the next page begins, as an opaque string that fits one query only."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Annotated

from pydantic import Field, ValidationError

from schemas.note import Frozen
from schemas.query import Query, Sort
from services.search.index import CursorInvalid
from services.search.words import Words

_KEY_DIGITS = 16
_Whole = Annotated[int, Field(strict=True, ge=-(2**62), le=2**62)]
_Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Id = Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class Place(Frozen):
    """The last hit of a page: its sort value, its id, and the snapshot that it was seen in.

    `value` is a date or receipt as the engine keeps it, a score, or for a snapshot without ids a
    number of hits to pass over.
    """

    value: _Whole | _Real
    id: _Id | None = None
    snapshot: Annotated[str, Field(max_length=3_000)] | None = None
    relaxed: bool = False


class _Cursor(Place):
    query: str


def encode(query: Query, place: Place) -> str:
    """The cursor for the page of this query after this place."""
    cursor = {"query": _key(query)} | place.model_dump(exclude_defaults=True)
    return urlsafe_b64encode(json.dumps(cursor, separators=(",", ":")).encode()).decode()


def decode(query: Query, order: Sort) -> Place | None:
    """Where the query's cursor points, None for a first page.

    Raises CursorInvalid for one that `encode` did not make for this query and order.
    """
    if query.cursor is None:
        return None
    try:
        cursor = _Cursor.model_validate_json(
            urlsafe_b64decode(query.cursor.encode("ascii", "strict"))
        )
    except (ValidationError, ValueError):
        raise CursorInvalid("not a cursor") from None
    if cursor.query != _key(query):
        raise CursorInvalid("the cursor belongs to another query")
    whole = isinstance(cursor.value, int)
    keyset = order is not Sort.RELEVANCE
    if (keyset and (not whole or cursor.id is None)) or (not keyset and cursor.snapshot is None):
        raise CursorInvalid("not a cursor of this order")
    return Place.model_validate(cursor.model_dump(exclude={"query"}))


def order_of(query: Query, words: Words) -> Sort:
    """The order that is followed: with no word to be relevant to, the newest receipt is first."""
    if query.sort is Sort.RELEVANCE and not words.all_of:
        return Sort.RECEIVED
    return query.sort


def _key(query: Query) -> str:
    """What makes the query this one: all but its cursor and the size of its pages."""
    asked = query.model_dump(mode="json", exclude={"cursor", "size"})
    asked["reader"]["markings"] = sorted(asked["reader"]["markings"])
    return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:_KEY_DIGITS]

"""Cursors: where the next page begins, or the one before ends, as an opaque string that fits one
query only."""

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Annotated

from pydantic import Field, ValidationError

from schemas.note import Frozen
from schemas.query import Query, Sort
from services.search.index import CURSOR_MINUTES, CursorExpired, CursorInvalid
from services.search.words import Words

_KEY_DIGITS = 16
_Whole = Annotated[int, Field(strict=True, ge=-(2**62), le=2**62)]
_Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Id = Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class Place(Frozen):
    """The last hit of a page: its sort value, its id, and the snapshot that it was seen in.
    With `back`, the first hit, which the page before ends at.

    `value` is a date or receipt as the engine keeps it, a score, or for a snapshot without ids a
    number of hits to pass over. `until`, for a snapshot, is when reading in it ends (Unix time):
    set by the first page, and the same for all that follow.
    """

    value: _Whole | _Real
    id: _Id | None = None
    snapshot: Annotated[str, Field(max_length=3_000)] | None = None
    until: _Whole | None = None
    relaxed: bool = False
    back: bool = False

    @property
    def left(self) -> int:
        """Return for how many more seconds its snapshot may be read; none are left at 0."""
        return max(0, (self.until or 0) - int(time.time()))


def reading_ends() -> int:
    """Return when a reading of pages by relevance that begins now is to end (Unix time)."""
    return int(time.time()) + CURSOR_MINUTES * 60


class _Cursor(Place):
    query: str


def encode(query: Query, place: Place) -> str:
    """The cursor for the page of this query after this place, or before it."""
    cursor = {"query": _key(query)} | place.model_dump(exclude_defaults=True)
    return urlsafe_b64encode(json.dumps(cursor, separators=(",", ":")).encode()).decode()


def decode(query: Query, order: Sort) -> Place | None:
    """Where the query's cursor points, None for a first page.

    Raises CursorInvalid for one that `encode` did not make for this query and order, CursorExpired
    for one whose snapshot may not be read any more.
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
    place = Place.model_validate(cursor.model_dump(exclude={"query"}))
    if place.snapshot is not None and not place.left:
        raise CursorExpired("the reading that this page belongs to has ended")
    return place


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

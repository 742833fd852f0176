"""Cursors sealed: what a client brings back is what the service gave it, unaltered.

The seal is an HMAC under a secret that all processes of a deployment share: it is derived from the
hash of the first key ever made, which stays in the registry for good and leaves it nowhere else.
"""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import replace
from hashlib import sha256

from schemas.query import Query
from services.runtime.registry import Registry, aside
from services.search.index import CursorInvalid, Page

PURPOSE = b"valise cursor 1"
"""Keeps this use of the hash apart from any other."""
BYTES = 16
"""Of the HMAC: 128 bits, against guesses that each cost a request."""


class Seal:
    """Seals and opens cursors. One for each application."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._secret: bytes | None = None

    async def opened(self, query: Query) -> Query:
        """The query with its cursor as the index made it.

        Raises CursorInvalid for a cursor without our seal, Unavailable.
        """
        if query.cursor is None:
            return query
        cursor, _, seal = query.cursor.rpartition(".")
        expected = await self._of(cursor)
        if not hmac.compare_digest(seal.encode(), expected.encode()):
            raise CursorInvalid("not sealed by us")
        return query.model_copy(update={"cursor": cursor})

    async def closed(self, page: Page) -> Page:
        """The page with its cursor sealed. Raises Unavailable."""
        if page.next is None:
            return page
        return replace(page, next=f"{page.next}.{await self._of(page.next)}")

    async def _of(self, cursor: str) -> str:
        if self._secret is None:
            first = await aside(self._registry.first_key_hash)
            self._secret = hmac.digest(first.encode(), PURPOSE, sha256)
        made = hmac.digest(self._secret, cursor.encode(), sha256)[:BYTES]
        return urlsafe_b64encode(made).decode().rstrip("=")

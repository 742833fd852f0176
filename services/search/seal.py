"""Cursors and ETags sealed: what a client brings back is what it was given, and tells it nothing.

Encrypted and authenticated (AES-GCM) under a secret that all processes of a deployment share: it is
derived from the hash of the first key ever made, which stays in the registry for good and leaves it
nowhere else. A cursor may hold a place that a reader is not to know, such as a score; an ETag made
of an answer's bytes alone could be guessed, or compared with another reader's.
"""

import hmac
import os
from base64 import b64decode, urlsafe_b64encode
from dataclasses import replace
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.query import Query
from services.runtime.registry import Registry, aside
from services.search.index import CursorInvalid, Page

PURPOSE = b"valise cursor 2"
"""Keeps this use of the hash apart from any other."""
TAGS = b"valise etag 1"
NONCE_BYTES = 12
"""GCM's own size. Random: good for 2**32 cursors under one secret (NIST SP 800-38D, 8.3)."""
SEARCH = "search"


class Seal:
    """Seals and opens cursors. One for each application."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._first: bytes | None = None
        self._cipher: AESGCM | None = None

    async def opened(self, query: Query) -> Query:
        """The query with its cursor as the index made it.

        Raises CursorInvalid for a cursor that we did not seal, Unavailable.
        """
        if query.cursor is None:
            return query
        return query.model_copy(update={"cursor": await self.open(SEARCH, query.cursor)})

    async def closed(self, page: Page) -> Page:
        """The page with its cursors sealed. Raises Unavailable."""
        following, previous = [
            None if each is None else await self.close(SEARCH, each)
            for each in (page.next, page.previous)
        ]
        return replace(page, next=following, previous=previous)

    async def open(self, kind: str, sealed: str) -> str:
        """What was sealed as that kind. Raises CursorInvalid where it was not, Unavailable."""
        cipher = await self._ready()
        try:
            raw = b64decode(sealed, altchars=b"-_", validate=True)
            nonce, hidden = raw[:NONCE_BYTES], raw[NONCE_BYTES:]
            return cipher.decrypt(nonce, hidden, kind.encode()).decode()
        except (ValueError, InvalidTag):
            raise CursorInvalid("not sealed by us") from None

    async def close(self, kind: str, text: str) -> str:
        """The text, for nobody to read or alter, as that kind of cursor. Raises Unavailable."""
        cipher, nonce = await self._ready(), os.urandom(NONCE_BYTES)
        hidden = cipher.encrypt(nonce, text.encode(), kind.encode())
        return urlsafe_b64encode(nonce + hidden).decode()

    async def tag(self, etag: str, caller_id: str) -> str:
        """The ETag that this caller is given for what has that one. Raises Unavailable."""
        key = hmac.digest(await self._secret(), TAGS, sha256)
        return f'"{hmac.digest(key, f"{etag} {caller_id}".encode(), sha256).hex()[:32]}"'

    async def _ready(self) -> AESGCM:
        if self._cipher is None:
            self._cipher = AESGCM(hmac.digest(await self._secret(), PURPOSE, sha256))
        return self._cipher

    async def _secret(self) -> bytes:
        if self._first is None:
            self._first = (await aside(self._registry.first_key_hash)).encode()
        return self._first

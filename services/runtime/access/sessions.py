"""Sessions of browsers: begun when somebody signs in, found again by their cookie.

The cookie holds 256 random bits, the registry their SHA-256. A session has the rights that its key,
or its person by the mapping file, has at that moment.
"""

import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from fastapi import Request, Response

from schemas.access import Caller, KeyView, Person
from services.runtime.access import forgery
from services.runtime.access.cookies import Cookie
from services.runtime.access.people import People
from services.runtime.access.remembered import Remembered
from services.runtime.errors import Unavailable
from services.runtime.guard.limits import visit_of
from services.runtime.registry import Registry, SessionRow, aside
from services.runtime.settings import Settings

USED_EVERY = timedelta(minutes=1)
"""How exactly a session's last use is noted."""
TICKET = timedelta(minutes=10)
"""How long a link that signs in can be used, once."""
SAFE = ("GET", "HEAD")
"""Methods that change nothing: for these what a browser sends by itself is credentials enough."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def new_secret() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """What is kept of such a secret: nobody can guess it, so that SHA-256 is hash enough."""
    return sha256(secret.encode()).hexdigest()


class Sessions:
    """The sessions in a registry, for browsers that reach the service at its public address."""

    def __init__(
        self,
        registry: Registry,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Raises Misconfigured where the mapping file cannot be used."""
        self.people = People(settings.people)
        self.public_url = settings.public_url
        self.cookie = self.cookie_for("valise")
        self._registry = registry
        self._lasting = timedelta(hours=settings.session_hours)
        self._idle = timedelta(minutes=settings.session_idle_minutes)
        self._now = now
        self._rows = Remembered(self._look_up, clock)

    def cookie_for(self, purpose: str) -> Cookie:
        """The cookie for that purpose, as the public address allows it."""
        return Cookie(purpose, secure=self.public_url.startswith("https://"))

    async def caller(self, request: Request) -> Caller | None:
        """Who holds the session of this request; None without one that holds.

        Raises ProblemError (403 for a change that none of our pages sent, 429), Unavailable.
        """
        caller, secret = await self.recognise(request), self.secret(request)
        if caller is not None and secret is not None and request.method not in SAFE:
            await forgery.check(request, secret, self.public_url)
        return caller

    async def recognise(self, request: Request) -> Caller | None:
        """The same by the cookie alone, whichever page sent the request.

        Raises ProblemError (429), Unavailable.
        """
        secret = self.secret(request)
        if secret is None:
            return None
        visit, name = visit_of(request), hash_of(secret)
        if visit and not self._rows.knows(name):
            visit.limits.check_failures(visit.address)
        row = await self._rows.get(name)
        if row is None and visit:
            visit.limits.failed(visit.address)
        now = self._now()
        if row is None or not row.holds(now, self._idle):
            return None
        return self._holder(row, now)

    def secret(self, request: Request) -> str | None:
        """What the cookie of a session holds, whether it still holds or not."""
        given = self.cookie.read(request)
        return given if given is not None and _SECRET.fullmatch(given) else None

    async def begin(
        self, response: Response, holder: KeyView | Person, id_token: str | None = None
    ) -> None:
        """Begin a session and give the browser its cookie. Raises Unavailable."""
        secret, now = new_secret(), self._now()
        expires = now + self._lasting
        if isinstance(holder, KeyView) and holder.expires_at is not None:
            expires = min(expires, holder.expires_at)
        whose = holder if isinstance(holder, Person) else holder.number
        await aside(self._registry.begin_session, hash_of(secret), whose, now, expires, id_token)
        self.cookie.put(response, secret)

    async def holder(self, request: Request) -> Caller | None:
        """Who holds the session of this request, whatever is asked; None without one that holds.

        Raises Unavailable.
        """
        secret, now = self.secret(request), self._now()
        row = None if secret is None else await self._rows.get(hash_of(secret))
        return self._holder(row, now) if row is not None and row.holds(now, self._idle) else None

    async def end(self, request: Request) -> str | None:
        """End the request's session; its ID token, of one that a person began there."""
        secret = self.secret(request)
        if secret is None:
            return None
        self._rows.forget(hash_of(secret))
        return await aside(self._registry.end_session, hash_of(secret), self._now())

    async def ticket_for(self, key: int) -> tuple[str, datetime]:
        """A new ticket that opens one session with that key's rights, and until when it does."""
        return await aside(new_ticket, self._registry, key, self._now())

    async def ticket_key(self, request: Request, ticket: str, *, take: bool) -> KeyView | None:
        """The key of a ticket that can be used; with `take` it is used by that.

        A wrong one counts against the request's address. Raises ProblemError (429), Unavailable.
        """
        visit, now = visit_of(request), self._now()
        if visit:
            visit.limits.check_failures(visit.address)
        ask = self._registry.take_ticket if take else self._registry.ticket
        key = await aside(ask, hash_of(ticket), now)
        if key is not None and key.holds(now):
            return key
        if visit:
            visit.limits.failed(visit.address)
        return None

    def _holder(self, row: SessionRow, now: datetime) -> Caller | None:
        if row.key is not None:
            return row.key.caller if row.key.holds(now) else None
        return None if row.person is None else self.people.caller(row.person)

    def _look_up(self, secret_hash: str) -> SessionRow | None:
        row = self._registry.session(secret_hash)
        now = self._now()
        if row is not None and row.holds(now, self._idle) and now - row.last_used_at >= USED_EVERY:
            # A registry that takes no writes now may be read all the same.
            with suppress(Unavailable):
                self._registry.session_used(row.number, now)
        return row


def new_ticket(registry: Registry, key: int, now: datetime) -> tuple[str, datetime]:
    """A new ticket of that key, and until when it can be used. Blocking. Raises Unavailable."""
    ticket, expires = new_secret(), now + TICKET
    registry.add_ticket(hash_of(ticket), key, now, expires)
    return ticket, expires

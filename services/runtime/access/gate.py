"""The gate: who is asking, from a request's credentials, and whether that caller may.

A route says which roles it is for with `needs`; without a gate nobody passes. Keys and sessions are
looked up in the registry and remembered for a few seconds: that long a revoked one may go on.
"""

import base64
import binascii
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from schemas.access import Caller, Role
from services.runtime.access import keys
from services.runtime.access.remembered import Remembered
from services.runtime.access.sessions import SAFE, Sessions
from services.runtime.errors import Unavailable
from services.runtime.guard.limits import visit_of
from services.runtime.problems import ProblemError, responses
from services.runtime.registry import KeyRow, Registry

logger = logging.getLogger(__name__)

USED_EVERY = timedelta(minutes=1)
"""How exactly a key's last use is noted."""

_BEARER = HTTPBearer(
    auto_error=False, scheme_name="key", description="Clé d'accès : `Authorization: Bearer …`"
)
Shown = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
"""Only so that the OpenAPI document tells of it; `caller_of` reads the header itself."""


class Gate:
    """Knows callers by their keys and sessions. One for each application; see `install`."""

    def __init__(
        self,
        registry: Registry,
        clock: Callable[[], float] = time.monotonic,
        sessions: Sessions | None = None,
    ) -> None:
        """Without `sessions` a cookie opens nothing."""
        self.sessions = sessions
        self._registry = registry
        self._keys = Remembered(self._look_up, clock)

    async def caller(self, request: Request) -> Caller:
        """Who asks: by its key, else by its browser's session.

        Raises ProblemError (401; 403 for a forged request, 429 where too many were wrong),
        Unavailable where the registry has to say it.
        """
        header = request.headers.get("Authorization")
        if header is not None or self.sessions is None:
            return await self._by_key(request, header)
        return _known(request, await self.sessions.caller(request))

    async def recognise(self, request: Request) -> Caller:
        """Who asks, by the credentials alone: nothing is read of the body, so that it may be
        somebody whose browser was made to ask.

        Raises ProblemError (401, 429), Unavailable.
        """
        header = request.headers.get("Authorization")
        if header is not None or self.sessions is None:
            return await self._by_key(request, header)
        return _known(request, await self.sessions.recognise(request))

    async def _by_key(self, request: Request, header: str | None) -> Caller:
        if header is None:
            return _known(request, None)
        key = await self.key(request, _secret(header, request.method))
        if key is not None:
            return key.caller
        raise unknown_caller(
            request,
            "La clé d'accès présentée est inconnue, expirée ou révoquée.",
        )

    async def key(self, request: Request, secret: keys.Secret | None) -> KeyRow | None:
        """The key of that secret, if it holds; a wrong one counts against the request's address.

        Raises ProblemError (429), Unavailable.
        """
        visit = visit_of(request)
        if visit and (secret is None or not self._keys.knows(secret.label)):
            visit.limits.check_failures(visit.address)
        row = None if secret is None else await self._keys.get(secret.label)
        # Compared even where no such key is known: the time taken tells nothing.
        fits = (secret or _NOBODY).fits(row.hash if row else _NOBODY.hash)
        if row is not None and fits and row.holds(datetime.now(UTC)):
            return row
        if visit:
            visit.limits.failed(visit.address)
        return None

    def _look_up(self, label: str) -> KeyRow | None:
        row = self._registry.key(label)
        now = datetime.now(UTC)
        if row is not None and row.holds(now):
            last = row.view.last_used_at
            if last is None or now - last >= USED_EVERY:
                # A registry that takes no writes now may be read all the same.
                with suppress(Unavailable):
                    self._registry.key_used(row.view.number, now)
        return row


_NOBODY = keys.new()


def install(app: FastAPI, gate: Gate) -> None:
    """Have the application's routes ask this gate, and its OpenAPI document tell of it.

    After `problems.install`.
    """
    app.state.gate = gate
    documented = app.openapi

    def with_answers() -> dict[str, Any]:
        document = documented()
        for operations in document.get("paths", {}).values():
            for operation in operations.values():
                if operation.get("security"):
                    for status, said in responses(401, 403).items():
                        operation["responses"].setdefault(str(status), said)
        return document

    app.openapi = with_answers  # type: ignore[method-assign]


def needs(*roles: Role) -> Any:
    """What a route depends on that is for callers with one of these roles."""

    async def admitted(request: Request, _: Shown = None) -> Caller:
        return await caller_of(request, *roles)

    return Depends(admitted)


async def caller_of(request: Request, *roles: Role) -> Caller:
    """Who asks, with one of these roles. Raises ProblemError (401, 403), Unavailable."""
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        gate: Gate = request.app.state.gate
        caller = await gate.caller(request)
        visit = visit_of(request)
        if visit:
            visit.by(caller.id)
        request.state.caller = caller
    if not caller.may(*roles):
        raise ProblemError(403, detail=f"Il faut pour cela le rôle {_listed(roles)}.")
    return caller


def _known(request: Request, found: Caller | None) -> Caller:
    if found is None:
        raise unknown_caller(request, "Cette adresse demande une clé d'accès.")
    return found


def unknown_caller(request: Request, detail: str) -> ProblemError:
    """The 401 that says how to be known here."""
    # A feed reader has a password dialogue and nothing else.
    basic = request.url.path.startswith("/feeds/")
    scheme = 'Basic realm="Valise", charset="UTF-8"' if basic else "Bearer"
    return ProblemError(401, detail=detail, headers={"WWW-Authenticate": scheme})


def _secret(header: str, method: str) -> keys.Secret | None:
    """The key in an Authorization header; None where it holds none.

    As a bearer's, or as the password of a Basic one, whatever the name: a browser sends that one by
    itself, so it changes nothing.
    """
    scheme, _, rest = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return keys.parse(rest)
        case "basic" if method in SAFE:
            try:
                name_and_password = base64.b64decode(rest.strip(), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return None
            return keys.parse(name_and_password.partition(":")[2])
    return None


def _listed(roles: tuple[Role, ...]) -> str:
    return " ou ".join(f"« {role} »" for role in roles)

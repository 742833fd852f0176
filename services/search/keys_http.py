"""API keys over HTTP, for administrators: made, listed, rotated, revoked."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from schemas.access import KeyList, KeyOrder, KeyView, NewKey, Role
from schemas.journal import Action
from schemas.moments import LAST
from services.runtime import problems
from services.runtime.access import keys
from services.runtime.access.gate import needs
from services.runtime.journal import record
from services.runtime.problems import ProblemError
from services.runtime.redaction import redacted
from services.runtime.registry import LastAdministrator, Registry, aside

PATH = "/api/v1/keys"
MAX_NUMBER = 2**31 - 1
USUAL_OVERLAP_HOURS, MOST_OVERLAP_HOURS = 24, 24 * 90

Number = Annotated[int, Path(ge=1, le=MAX_NUMBER, description="Numéro de la clé")]
Overlap = Annotated[
    int,
    Query(
        ge=0,
        le=MOST_OVERLAP_HOURS,
        description="Heures pendant lesquelles l'ancienne clé vaut encore",
    ),
]
Force = Annotated[bool, Query(description="Même si c'est la dernière clé valable qui administre")]


def router(registry: Registry) -> APIRouter:
    """`/api/v1/keys`."""
    routes = APIRouter(tags=["administration"], dependencies=[needs(Role.ADMINISTER)])

    @routes.get(PATH, summary="Les clés d'accès", responses=problems.responses(503))
    async def listed(request: Request) -> KeyList:
        record(request, Action.ADMINISTERED, "keys", what="keys_listed")
        return KeyList(keys=list(await aside(registry.all_keys)))

    @routes.post(
        PATH,
        status_code=201,
        summary="Créer une clé ; elle n'est montrée que cette fois",
        responses=problems.responses(422, 503),
    )
    async def add(order: KeyOrder, request: Request) -> NewKey:
        now = datetime.now(UTC)
        if order.expires_at is not None and order.expires_at <= now:
            wrong = [{"field": "expires_at", "detail": "cette date est passée"}]
            raise ProblemError(422, "Clé refusée", errors=wrong)
        named = order.model_copy(update={"name": redacted(order.name)})
        made = await _made(named, now)
        _recorded(request, made)
        return made

    @routes.post(
        f"{PATH}/{{number}}/rotate",
        status_code=201,
        summary="Remplacer une clé par une autre de mêmes droits ; l'ancienne vaut encore un temps",
        responses=problems.responses(404, 409, 422, 503),
    )
    async def rotate(
        number: Number, request: Request, overlap_hours: Overlap = USUAL_OVERLAP_HOURS
    ) -> NewKey:
        now = datetime.now(UTC)
        old = await aside(registry.key_numbered, number)
        if old is None:
            raise _unknown()
        if not old.holds(now):
            raise ProblemError(
                409, detail="Cette clé n'est plus valable : créer une clé, plutôt que la remplacer."
            )
        lasting = _as_long(old, now)
        made = await _made(KeyOrder(name=old.name, rights=old.rights, expires_at=lasting), now)
        ending = min(now + timedelta(hours=overlap_hours), old.expires_at or LAST)
        await aside(registry.end_key, number, ending, revoked=False)
        _recorded(request, made, replaces=number)
        record(
            request,
            Action.ADMINISTERED,
            f"key:{number}",
            what="key_rotated",
            until=ending.isoformat(timespec="seconds"),
        )
        return made

    @routes.delete(
        f"{PATH}/{{number}}",
        summary="Révoquer une clé : elle ne vaut plus, en quelques secondes",
        responses=problems.responses(404, 409, 422, 503),
    )
    async def revoke(number: Number, request: Request, force: Force = False) -> KeyView:
        try:
            ended = await aside(
                registry.end_key, number, datetime.now(UTC), revoked=True, keep_one=not force
            )
        except LastAdministrator:
            raise _last() from None
        if ended is None:
            raise _unknown()
        record(request, Action.ADMINISTERED, f"key:{number}", what="key_revoked", name=ended.name)
        return ended

    async def _made(order: KeyOrder, now: datetime) -> NewKey:
        secret = keys.new()
        view = await aside(registry.add_key, order, secret.label, secret.hash, now)
        return NewKey(**view.model_dump(), key=str(secret))

    return routes


def _as_long(old: KeyView, now: datetime) -> datetime | None:
    """When a key ends that is made now to last as long as this one; LAST at the latest."""
    if old.expires_at is None:
        return None
    return now + min(old.expires_at - old.created_at, LAST - now)


def _recorded(request: Request, key: KeyView, **details: int) -> None:
    rights = key.rights
    record(
        request,
        Action.ADMINISTERED,
        f"key:{key.number}",
        what="key_made",
        name=key.name,
        roles=sorted(rights.roles),
        posts=sorted(rights.posts),
        clearance=rights.clearance,
        special_france=rights.special_france,
        **details,
    )


def _last() -> ProblemError:
    return ProblemError(
        409,
        "Dernière clé d'administrateur",
        "C'est la dernière clé valable qui administre : sans elle, plus personne ne crée de clé. "
        "En créer une autre d'abord (« valise keys add »), ou confirmer (force=true).",
    )


def _unknown() -> ProblemError:
    return ProblemError(404, "Clé inconnue", "Aucune clé ne porte ce numéro.")

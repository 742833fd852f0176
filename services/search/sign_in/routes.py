"""`/connexion` and `/deconnexion`: where sessions begin and end."""

import logging
from urllib.parse import quote, unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from schemas.access import Caller, KeyView, Role, SignInLink
from schemas.journal import Action
from services.runtime import problems
from services.runtime.access import forgery, keys
from services.runtime.access.cookies import Cookie
from services.runtime.access.gate import Gate, needs
from services.runtime.access.sessions import new_secret
from services.runtime.errors import Unavailable
from services.runtime.guard.limits import from_anybody
from services.runtime.journal import record
from services.runtime.problems import ProblemError
from services.runtime.registry import caller_with
from services.runtime.settings import Settings
from services.search.http import base_of
from services.search.pages import html
from services.search.sign_in.openid import RETURN, RETURN_FROM_SIGN_OUT, Provider
from services.search.sign_in.page import (
    NO_STORE,
    NOT_DONE,
    NOT_FROM_HERE,
    WRONG_KEY,
    WRONG_TICKET,
    entry_cookie,
    no_rights,
    sessions_of,
    sign_in_page,
)
from services.search.sign_in.target import (
    HOME,
    PROCONNECT,
    SIGN_IN,
    SIGN_OUT,
    checked,
    ticket_address,
)
from services.search.sign_in.tokens import Refused

logger = logging.getLogger(__name__)

ATTEMPT_SECONDS = 900
"""How long somebody may take at the provider's."""
MAX_KEPT = 2_000
"""Of the target, in the attempt's cookie: a browser drops a cookie of more than 4 KB."""


def router(settings: Settings) -> APIRouter:
    """The pages for signing in and out, and the links that `valise login` asks for."""
    routes = APIRouter()
    provider = Provider(settings) if settings.oidc_issuer else None

    @routes.get(SIGN_IN, include_in_schema=False)
    async def shown(request: Request) -> Response:
        return await sign_in_page(request, proconnect=provider is not None)

    @routes.post(SIGN_IN, include_in_schema=False)
    async def sign_in(request: Request) -> Response:
        sessions = sessions_of(request)
        from_anybody(request)
        fields = await forgery.form(request)
        # Against a page elsewhere that signs its visitor in under another name (login CSRF).
        entry = entry_cookie(sessions).read(request)
        fits = entry is not None and forgery.fits(fields.get(forgery.FIELD), entry)
        key, wrong, way = None, NOT_FROM_HERE, ""
        if fits and forgery.from_here(request, sessions.public_url):
            ticket = fields.pop("billet", "")
            way = "link" if ticket else "key"
            wrong = WRONG_TICKET if ticket else WRONG_KEY
            key = (
                await sessions.ticket_key(request, ticket, take=True)
                if ticket
                else await _key_of(request, fields.get("cle", ""))
            )
        if key is None:
            return await sign_in_page(
                request, proconnect=provider is not None, fields=fields, error=wrong, status=403
            )
        answer = _to(checked(fields.get("suite")))
        await sessions.end(request)
        await sessions.begin(answer, key)
        entry_cookie(sessions).drop(answer)
        _signed_in(request, caller_with(key), way)
        return answer

    @routes.post(SIGN_OUT, include_in_schema=False)
    async def sign_out(request: Request) -> Response:
        sessions = sessions_of(request)
        from_anybody(request)
        secret = sessions.secret(request)
        if secret is not None:
            await forgery.check(request, secret, sessions.public_url)
        request.state.caller = await sessions.holder(request)
        if request.state.caller is not None:
            record(request, Action.SIGNED_OUT)
        id_token = await sessions.end(request)
        attempt = new_secret()
        onwards = await _sign_out_there(provider, id_token, attempt)
        if onwards is None:
            answer: Response = _to(f"{SIGN_IN}?fin=1")
        else:
            answer = html(request, "sign_out.html", 200, NO_STORE, onwards=onwards)
            sessions.cookie_for("valise-sortie").put(answer, attempt, ATTEMPT_SECONDS)
        sessions.cookie.drop(answer)
        return answer

    @routes.post(
        "/api/v1/sign-in-links",
        status_code=201,
        tags=["administration"],
        summary="Un lien qui ouvre les pages une fois, avec les droits de la clé présentée",
        responses=problems.responses(503),
        dependencies=[needs(*Role)],
    )
    async def link(request: Request) -> SignInLink:
        kind, _, number = request.state.caller.id.partition(":")
        if kind != "key" or "Authorization" not in request.headers:
            raise ProblemError(403, detail="Un tel lien se demande avec une clé d'accès.")
        ticket, expires = await sessions_of(request).ticket_for(int(number))
        record(request, Action.SIGNED_IN, what="link made")
        url = ticket_address(base_of(request, settings), ticket)
        return SignInLink(url=url, expires_at=expires)

    if provider is not None:
        _add_proconnect(routes, provider)
    return routes


def _add_proconnect(routes: APIRouter, provider: Provider) -> None:
    """The way to the provider and back."""

    @routes.get(PROCONNECT, include_in_schema=False)
    async def leave(request: Request) -> Response:
        attempt = new_secret()
        suite = quote(checked(request.query_params.get("suite")), safe="/")
        answer = _to(await provider.authorization(attempt))
        kept = suite if len(suite) <= MAX_KEPT else HOME
        _attempt_cookie(request).put(answer, f"{attempt}.{kept}", ATTEMPT_SECONDS)
        return answer

    @routes.get(RETURN, include_in_schema=False)
    async def come_back(request: Request) -> Response:
        sessions = sessions_of(request)
        attempt, _, suite = (_attempt_cookie(request).read(request) or "").partition(".")
        try:
            if not attempt:
                raise Refused("no attempt of this browser")  # noqa: TRY301
            person, id_token = await provider.sign_in(attempt, request.query_params)
        except Refused as refused:
            logger.warning("not signed in: %s", refused)
            answer = await sign_in_page(
                request, proconnect=True, fields={}, error=NOT_DONE, status=403
            )
        else:
            caller = sessions.people.caller(person)
            if caller is None:
                logger.warning("not signed in: %s has no rights", person.id)
                error = no_rights(person.email or person.name)
                answer = await sign_in_page(
                    request, proconnect=True, fields={}, error=error, status=403
                )
            else:
                answer = _to(checked(unquote(suite)))
                await sessions.end(request)
                await sessions.begin(answer, person, id_token)
                _signed_in(request, caller, "proconnect")
        _attempt_cookie(request).drop(answer)
        return answer

    @routes.get(RETURN_FROM_SIGN_OUT, include_in_schema=False)
    async def gone(request: Request) -> Response:
        cookie = sessions_of(request).cookie_for("valise-sortie")
        attempt = cookie.read(request)
        known = attempt is not None and request.query_params.get("state") == forgery.derived(
            attempt, "state"
        )
        answer = _to(f"{SIGN_IN}?fin=1" if known else SIGN_IN)
        cookie.drop(answer)
        return answer


async def _sign_out_there(
    provider: Provider | None, id_token: str | None, attempt: str
) -> str | None:
    """Where to sign out of the provider too; None: nowhere, or it cannot be asked."""
    if provider is None or id_token is None:
        return None
    try:
        return await provider.sign_out(id_token, attempt)
    except Unavailable as away:
        logger.warning("signed out here alone: %s", away.reason)
        return None


def _signed_in(request: Request, caller: Caller, way: str) -> None:
    request.state.caller = caller
    record(request, Action.SIGNED_IN, what=way)
    logger.info("signed in: %s", caller.id)


async def _key_of(request: Request, pasted: str) -> KeyView | None:
    """The key that was pasted, if it holds."""
    gate: Gate = request.app.state.gate
    row = await gate.key(request, keys.parse(pasted))
    return None if row is None else row.view


def _attempt_cookie(request: Request) -> Cookie:
    return sessions_of(request).cookie_for("valise-proconnect")


def _to(address: str) -> Response:
    return RedirectResponse(address, 303, headers=NO_STORE)

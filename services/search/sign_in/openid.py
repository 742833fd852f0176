"""Signing in by OpenID Connect, with ProConnect's conventions.

Authorization code with PKCE (RFC 7636, S256), state and nonce; the client's secret in the body;
userinfo as a signed JWT. All values of one attempt are derived from a secret that the browser keeps
in a cookie, so that nothing is kept here until somebody is let in.
Source: ProConnect, documentation du fournisseur de service, « Implémentation technique ».
"""

import asyncio
import json
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import httpx

from schemas.access import Person
from services.runtime.access.forgery import derived
from services.runtime.errors import Unavailable
from services.runtime.settings import LOOPBACK, Settings
from services.search.sign_in import tokens
from services.search.sign_in.tokens import Keys, Refused, UnknownKey

RETURN = "/connexion/retour"
RETURN_FROM_SIGN_OUT = "/deconnexion/retour"

TIMEOUT = httpx.Timeout(5.0)
WHOLE_SECONDS = 10.0
"""For one answer, however slowly it drips."""
MAX_BYTES = 256 * 1024
KEPT_SECONDS = 3600.0
"""How long the provider's description and keys are believed."""
AGAIN_SECONDS = 60.0
"""How soon they are asked for once more because of a key that is not among them: what anybody sends
here must not have us call the provider each time."""

AWAY_SECONDS = 2.0
"""How long nobody asks a provider that has just not answered."""

_CODE = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the provider is asked for what."""

    authorization: str
    token: str
    userinfo: str
    end_session: str | None
    keys: str

    @classmethod
    def of(cls, document: Mapping[str, Any], issuer: str) -> Self:
        """From the provider's description. Raises Unavailable for one that is not its own."""
        if document.get("issuer") != issuer:
            raise Unavailable("the identity provider's description names another issuer")
        local = urlsplit(issuer).hostname in LOOPBACK

        def address(name: str) -> str:
            found = str(document.get(name) or "")
            there = urlsplit(found)
            here = local and there.scheme == "http" and there.hostname in LOOPBACK
            if there.scheme != "https" and not here:
                raise Unavailable(f"the identity provider's {name} is no https address")
            return found

        leaves = "end_session_endpoint"
        return cls(
            authorization=address("authorization_endpoint"),
            token=address("token_endpoint"),
            userinfo=address("userinfo_endpoint"),
            end_session=address(leaves) if document.get(leaves) else None,
            keys=address("jwks_uri"),
        )


class Provider:
    """The identity provider that the settings name, and this service as its client."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        assert settings.oidc_issuer
        assert settings.oidc_client_id
        assert settings.oidc_client_secret
        self._issuer = settings.oidc_issuer
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._scope = settings.oidc_scope
        self._levels = tuple((settings.oidc_acr or "").split())
        self._base = settings.public_url.rstrip("/")
        self._clock = clock
        self._asking = asyncio.Lock()
        self._asked = float("-inf")
        self._known: tuple[Endpoints, Keys] | None = None

    async def authorization(self, attempt: str) -> str:
        """Where the browser goes to sign in. Raises Unavailable."""
        endpoints, _ = await self._described()
        challenge = sha256(derived(attempt, "pkce").encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._base + RETURN,
            "scope": self._scope,
            "state": derived(attempt, "state"),
            "nonce": derived(attempt, "nonce"),
            "code_challenge": urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        if self._levels:
            wanted = (
                {"values": self._levels} if len(self._levels) > 1 else {"value": self._levels[0]}
            )
            asked["claims"] = json.dumps({"id_token": {"acr": {"essential": True, **wanted}}})
        return _with(endpoints.authorization, asked)

    async def sign_in(self, attempt: str, returned: Mapping[str, str]) -> tuple[Person, str]:
        """Who came back from the provider, and their ID token, for signing out there.

        Raises Refused where anything does not fit this attempt, Unavailable.
        """
        if returned.get("state") != derived(attempt, "state"):
            raise Refused("another state came back")
        if returned.get("iss", self._issuer) != self._issuer:
            raise Refused("another issuer answered")
        code = returned.get("code")
        if not code:
            raise Refused(f"the provider says: {_told(returned.get('error'))}")
        endpoints, _ = await self._described()
        answer = await _json(
            "POST",
            endpoints.token,
            data={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._base + RETURN,
                "client_id": self._client_id,
                "client_secret": self._secret.get_secret_value(),
                "code_verifier": derived(attempt, "pkce"),
            },
        )
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise Refused("the provider gave no tokens")
        subject = tokens.checked_id_token(
            await self._claims(id_token), derived(attempt, "nonce"), self._levels
        )
        said = await _text(
            "GET",
            endpoints.userinfo,
            media_type="application/jwt",
            headers={"Authorization": f"Bearer {access_token}"},
        )
        return tokens.person_of(await self._claims(said), subject), id_token

    async def sign_out(self, id_token: str, attempt: str) -> str | None:
        """Where the browser goes to sign out there too; None where one cannot. Raises Unavailable.

        `attempt` is a secret of the browser's, as for signing in.
        """
        endpoints, _ = await self._described()
        if endpoints.end_session is None:
            return None
        asked = {
            "id_token_hint": id_token,
            "state": derived(attempt, "state"),
            "post_logout_redirect_uri": self._base + RETURN_FROM_SIGN_OUT,
        }
        return _with(endpoints.end_session, asked)

    async def _claims(self, token: str) -> dict[str, Any]:
        _, keys = await self._described()
        try:
            return tokens.claims_of(token, keys, self._issuer, self._client_id)
        except UnknownKey:
            _, keys = await self._described(after=AGAIN_SECONDS)
            return tokens.claims_of(token, keys, self._issuer, self._client_id)

    async def _described(self, after: float = KEPT_SECONDS) -> tuple[Endpoints, Keys]:
        """The provider's endpoints and keys, asked for again where that was `after` seconds ago.

        What was known before serves on while it does not answer.
        """
        async with self._asking:
            now = self._clock()
            if self._known is not None and now - self._asked < after:
                return self._known
            if self._known is None and now - self._asked < AWAY_SECONDS:
                raise Unavailable("the identity provider did not answer a moment ago")
            self._asked = now
            try:
                where = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
                endpoints = Endpoints.of(await _json("GET", where), self._issuer)
                self._known = endpoints, tokens.signing_keys(await _json("GET", endpoints.keys))
            except (Unavailable, Refused) as error:
                if self._known is None:
                    raise Unavailable(
                        f"the identity provider does not say what it is: {error}"
                    ) from None
            return self._known


async def _json(method: str, address: str, **request: Any) -> dict[str, Any]:
    try:
        found = json.loads(await _text(method, address, media_type="application/json", **request))
    except (ValueError, RecursionError):
        raise Unavailable("the identity provider's answer is no JSON") from None
    if not isinstance(found, dict):
        raise Unavailable("the identity provider's answer is no JSON object")
    return found


async def _text(method: str, address: str, *, media_type: str, **request: Any) -> str:
    """The body of the provider's answer. Raises Unavailable, Refused (what it does not accept)."""
    headers = {"Accept": media_type, **request.pop("headers", {})}
    try:
        async with (
            asyncio.timeout(WHOLE_SECONDS),
            httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False) as http,
            http.stream(method, address, headers=headers, **request) as answer,
        ):
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > MAX_BYTES:
                    raise Unavailable("the identity provider's answer is too long")
    except (httpx.HTTPError, TimeoutError) as error:
        raise Unavailable(f"the identity provider: {type(error).__name__}") from None
    if answer.status_code >= 500:
        raise Unavailable(f"the identity provider answers {answer.status_code}")
    text = body.decode(errors="replace")
    if answer.status_code != 200:
        raise Refused(f"the provider answers {answer.status_code}: {_error_in(text)}")
    got = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    # Some providers serve their keys under a type of their own.
    if got != media_type and not (media_type == "application/json" and got.endswith("+json")):
        raise Refused(f"the provider answers with something else than {media_type}")
    return text


def _error_in(text: str) -> str:
    try:
        return _told(json.loads(text).get("error"))
    except (ValueError, AttributeError, RecursionError):
        return "no reason"


def _told(error: Any) -> str:
    """An error code of OAuth's, which is all that is logged of what others send."""
    return error if isinstance(error, str) and _CODE.fullmatch(error) else "no reason"


def _with(address: str, parameters: Mapping[str, str]) -> str:
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(parameters)}"

"""Tokens that must not be believed, and a provider that misbehaves: nobody is signed in by them."""

import asyncio
import json
import time
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from jwt.warnings import InsecureKeyLengthWarning
from starlette.responses import JSONResponse, Response, StreamingResponse

from services.search.sign_in import openid
from tests.oidc.impostor import (
    KEY,
    OTHER_KEY,
    WEAK_KEY,
    Claims,
    Impostor,
    by_mac,
    jwk,
    public_pem,
    signed,
    unsigned,
)
from tests.oidc.provider import CLIENT_ID, CLIENT_SECRET, SIRET
from tests.pages.serving import served
from tests.pages.visitor import BASE, Visitor
from tests.pipeline.deployments import free_port
from tests.search.site import Site, open_site


class Scene:
    """A service, the provider that it trusts, and somebody who comes back from there."""

    def __init__(self, impostor: Impostor, site: Site) -> None:
        self.impostor = impostor
        self.site = site
        self.visitor = Visitor.of(site.app)

    async def come_back(self, **changes: str) -> httpx.Response:
        """The service's answer to a sign-in whose parameters can be changed."""
        left = await self.visitor.open("/connexion/proconnect")
        if left.status_code != 303:
            return left
        asked = parse_qs(urlsplit(left.headers["Location"]).query)
        self.impostor.nonce = asked["nonce"][0]
        returned = {"code": "c0de", "state": asked["state"][0], **changes}
        return await self.visitor.client.get("/connexion/retour", params=returned)

    @property
    def signed_in(self) -> bool:
        return "valise" in self.visitor.client.cookies


@pytest.fixture
async def impostor() -> AsyncIterator[Impostor]:
    port = free_port()
    made = Impostor(f"http://127.0.0.1:{port}")
    async with served(made.app, port):
        yield made


@pytest.fixture
async def scene(impostor: Impostor, tmp_path: Path) -> AsyncIterator[Scene]:
    mapping = tmp_path / "people.json"
    mapping.write_text(json.dumps({"people": [{"siret": SIRET, "roles": ["read"]}]}))
    settings: dict[str, Any] = {
        "people": mapping,
        "oidc_issuer": impostor.issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_acr": "eidas1 eidas2",
    }
    async with open_site(tmp_path / "site", **settings) as site:
        made = Scene(impostor, site)
        async with made.visitor.client:
            yield made


async def test_what_is_as_it_should_be_signs_in(scene: Scene) -> None:
    answer = await scene.come_back()
    assert answer.status_code == 303
    assert scene.signed_in
    posted = scene.impostor.posted
    assert posted["client_secret"] == CLIENT_SECRET
    assert posted["redirect_uri"] == f"{BASE}/connexion/retour"
    assert len(posted["code_verifier"]) >= 43


def of(**changes: Any) -> Callable[[Claims], str]:
    """A token, well signed, in which some claims are others (None: missing)."""

    def token(claims: Claims) -> str:
        changed = claims | changes
        return signed({name: value for name, value in changed.items() if value is not None})

    return token


def forged(claims: Claims) -> str:
    """A token that was well signed, with somebody else's name put into it."""
    head, _, tail = signed(claims).split(".")
    body = signed({**claims, "sub": "ministre"}).split(".")[1]
    return f"{head}.{body}.{tail}"


NOW = int(time.time())
TOKENS: dict[str, Callable[[Claims], str]] = {
    "alg none": unsigned,
    "alg None": lambda claims: unsigned(claims, "None"),
    "alg empty": lambda claims: unsigned(claims, ""),
    "HS256 with the public key": lambda claims: by_mac(claims, public_pem()),
    "HS256 with the client's secret": lambda claims: by_mac(claims, CLIENT_SECRET.encode()),
    "RS256 said, MAC made": lambda claims: by_mac(claims, public_pem(), "RS256"),
    "RS512": lambda claims: jwt.encode(claims, KEY, "RS512", headers={"kid": "k1"}),
    "PS256": lambda claims: jwt.encode(claims, KEY, "PS256", headers={"kid": "k1"}),
    "a key nobody published": lambda claims: signed(claims, OTHER_KEY, "k2"),
    "another key under a published id": lambda claims: signed(claims, OTHER_KEY, "k1"),
    "no key id": lambda claims: signed(claims, KEY, None),
    "a key of its own in the header": lambda claims: signed(
        claims, OTHER_KEY, "k2", jwk=jwk(OTHER_KEY, "k2")
    ),
    "an address of keys in the header": lambda claims: signed(
        claims, OTHER_KEY, "k2", jku="http://127.0.0.1:1/jwks"
    ),
    "an unknown critical header": lambda claims: signed(claims, crit=["x"], x=1),
    "another's words under a good signature": forged,
    "cut off": lambda claims: signed(claims)[:-20],
    "no token": lambda claims: "rien",
    "empty": lambda claims: "",
    "too long": lambda claims: signed({**claims, "x": "a" * 40_000}),
    "another audience": of(aud="autre-service"),
    "several audiences": of(aud=[CLIENT_ID, "autre-service"]),
    "no audience": of(aud=None),
    "another issuer": of(iss="https://ailleurs.example"),
    "the issuer with a slash more": lambda claims: of(iss=claims["iss"] + "/")(claims),
    "no issuer": of(iss=None),
    "expired": of(exp=NOW - 3600, iat=NOW - 7200),
    "no expiry": of(exp=None),
    "made in the future": of(iat=NOW + 3600, exp=NOW + 7200),
    "not yet": of(nbf=NOW + 3600),
    "no subject": of(sub=None),
    "a subject that is no text": of(sub=["camille"]),
}


async def test_an_id_token_that_does_not_hold_signs_nobody_in(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    for attack, token in TOKENS.items():
        scene.impostor.id_token = token
        assert (await scene.come_back()).status_code == 403, attack
        assert not scene.signed_in, attack
    assert "/userinfo" not in scene.impostor.asked
    assert caplog.text.count("not signed in: ") == len(TOKENS)
    assert "eyJ" not in caplog.text


async def test_userinfo_is_checked_like_an_id_token(scene: Scene) -> None:
    for attack, token in TOKENS.items():
        scene.impostor.userinfo = token
        assert (await scene.come_back()).status_code == 403, attack
        assert not scene.signed_in, attack
    assert scene.impostor.asked.count("/userinfo") == len(TOKENS)


async def test_an_id_token_of_another_sign_in_or_level_is_refused(scene: Scene) -> None:
    others: list[Claims] = [
        {"nonce": "autre"}, {"nonce": None}, {"nonce": 1}, {"acr": "eidas3"}, {"acr": None},
        {"acr": ["eidas1"]},
    ]  # fmt: skip
    for claims in others:
        scene.impostor.id_token = of(**claims)
        assert (await scene.come_back()).status_code == 403, claims
        assert not scene.signed_in, claims


async def test_userinfo_of_somebody_else_or_of_no_sense_is_refused(scene: Scene) -> None:
    others: list[Claims] = [
        {"sub": "ministre"}, {"email": "a" * 400}, {"siret": 13001653800014},
        {"email": ["a@b.fr"]}, {"usual_name": "a\0b"},
    ]  # fmt: skip
    for claims in others:
        scene.impostor.userinfo = of(**claims)
        assert (await scene.come_back()).status_code == 403, claims
        assert not scene.signed_in, claims


async def test_userinfo_without_a_signature_is_refused(scene: Scene) -> None:
    scene.impostor.userinfo_type = "application/json"
    scene.impostor.userinfo = lambda claims: httpx.Response(200, json=claims).text
    assert (await scene.come_back()).status_code == 403
    assert not scene.signed_in


async def test_an_answer_that_does_not_fit_the_attempt_asks_the_provider_nothing(
    scene: Scene,
) -> None:
    for changes in (
        {"state": "x" * 43},
        {"state": ""},
        {"state": "é"},
        {"code": ""},
        {"iss": "https://ailleurs.example"},
        {"error": "<script>", "code": ""},
    ):
        answer = await scene.come_back(**changes)
        assert answer.status_code == 403, changes
        assert "<script>" not in answer.text
        assert not scene.signed_in, changes
    assert "/token" not in scene.impostor.asked


async def test_a_token_endpoint_out_of_its_mind_signs_nobody_in(scene: Scene) -> None:
    for said, status in (
        (JSONResponse({"error": "invalid_grant"}, 400), 403),
        (JSONResponse({"access_token": "a"}), 403),
        (JSONResponse({"access_token": 1, "id_token": ["a"]}), 403),
        (JSONResponse(["a"]), 503),
        (Response("{", media_type="application/json"), 503),
        (Response("[" * 100_000, media_type="application/json"), 503),
        (Response("a" * 300_000, media_type="application/json"), 503),
        (Response("<p>", media_type="text/html"), 403),
        (Response(status_code=302, headers={"Location": "http://127.0.0.1:1/"}), 403),
        (Response(status_code=500), 503),
    ):
        scene.impostor.token_answer = said
        assert (await scene.come_back()).status_code == status, said.body[:40]
        assert not scene.signed_in


async def test_a_provider_that_answers_drop_by_drop_holds_nobody_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    monkeypatch.setattr(openid, "WHOLE_SECONDS", 0.5)
    scene.impostor.token_answer = StreamingResponse(drops(), media_type="application/json")
    assert (await scene.come_back()).status_code == 503
    assert not scene.signed_in


async def test_a_description_of_another_provider_or_without_tls_is_not_used(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openid, "AWAY_SECONDS", 0.0)
    for described in (
        {"issuer": "https://ailleurs.example"},
        {"token_endpoint": "http://ailleurs.example/token"},
        {"userinfo_endpoint": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ):
        scene.impostor.described = described
        answer = await scene.visitor.open("/connexion/proconnect")
        assert answer.status_code == 503, described
        assert answer.headers["Retry-After"]


async def test_keys_that_are_not_for_this_sign_nobody_in(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openid, "AGAIN_SECONDS", 0.0)
    not_for_this: list[list[Any]] = [
        [jwk(KEY, "k1", use="enc")],
        [jwk(KEY, "k1", alg="RS512")],
        [{"kty": "oct", "k": "c2VjcmV0", "kid": "k1", "alg": "RS256"}],
        [{"kty": "RSA", "kid": "k1"}, "clé", None],
        [],
    ]
    for published in not_for_this:
        scene.impostor.keys = published
        assert (await scene.come_back()).status_code == 403, published
        assert not scene.signed_in
    scene.impostor.keys = [jwk(WEAK_KEY, "k1")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyLengthWarning)
        made = signed(scene.impostor.claims(), WEAK_KEY)
    scene.impostor.id_token = lambda claims: made
    assert (await scene.come_back()).status_code == 403
    assert "/userinfo" not in scene.impostor.asked


async def test_keys_that_were_exchanged_are_fetched_again_but_not_at_everybodys_word(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await scene.come_back()).status_code == 303
    assert scene.impostor.asked.count("/jwks") == 1
    scene.visitor.client.cookies.clear()
    scene.impostor.id_token = lambda claims: signed(claims, OTHER_KEY, "k2")
    for _ in range(3):
        assert (await scene.come_back()).status_code == 403
    assert scene.impostor.asked.count("/jwks") == 1, "once a minute at the most"
    scene.impostor.keys = [jwk(KEY, "k1"), jwk(OTHER_KEY, "k2")]
    monkeypatch.setattr(openid, "AGAIN_SECONDS", 0.0)
    scene.impostor.userinfo = scene.impostor.id_token
    assert (await scene.come_back()).status_code == 303
    assert scene.signed_in


async def test_while_the_provider_is_away_a_page_says_so(tmp_path: Path) -> None:
    mapping = tmp_path / "people.toml"
    mapping.write_text("people = []")
    settings: dict[str, Any] = {
        "people": mapping,
        "oidc_issuer": f"http://127.0.0.1:{free_port()}",
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
    }
    async with open_site(tmp_path / "site", **settings) as site:
        visitor = Visitor.of(site.app)
        async with visitor.client:
            found = await visitor.page("/connexion/proconnect", 503)
            assert "Veuillez réessayer plus tard" in found.one("main").text
            await visitor.page("/connexion")

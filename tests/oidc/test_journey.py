"""Signing in with a real identity provider: the whole way there and back, and out again."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from schemas.access import Role
from services.runtime.access.sessions import hash_of
from tests.oidc.provider import PEOPLE, SIRET, IdentityProvider
from tests.pages.chromium import Tab, open_tab
from tests.pages.html import read
from tests.pages.serving import served
from tests.pages.visitor import Visitor, sign_out_field
from tests.pipeline.deployments import free_port
from tests.search import corpus
from tests.search.site import Site, open_site

MAPPING = f"""
[[people]]
siret = "{SIRET}"
domain = "sante.gouv.fr"
roles = ["read"]
"""

PORT = free_port()
BASE = f"http://127.0.0.1:{PORT}"
"""Where the service is: the provider knows it beforehand."""


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with IdentityProvider(BASE) as running:
        yield running


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    file = tmp_path / "people.toml"
    file.write_text(MAPPING)
    return file


@pytest.fixture
async def office(provider: IdentityProvider, mapping: Path, tmp_path: Path) -> AsyncIterator[Site]:
    """The service, whose people sign in with the provider."""
    settings = {**provider.settings, "people": mapping, "public_url": BASE}
    async with open_site(tmp_path / "site", **settings) as site:
        await site.take(corpus.RETRAITES)
        yield site


def rewrite(mapping: Path, text: str) -> None:
    """What an administrator's editor does."""
    mapping.write_text(text)


class Person:
    """Somebody at the provider, in a browser without script: fills in its forms."""

    def __init__(self, site: Site) -> None:
        self.here = Visitor.of(site.app, BASE)
        self.there = httpx.AsyncClient()

    async def __aenter__(self) -> "Person":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.here.client.aclose()
        await self.there.aclose()

    async def leave(self, suite: str = "/") -> str:
        """Where the button of the sign-in page leads."""
        found = await self.here.page(f"/connexion?suite={suite}")
        (button,) = [one["href"] for one in found.all("a", "button")]
        answer = await self.here.open(button)
        assert answer.status_code == 303
        return answer.headers["Location"]

    async def identify(self, address: str, name: str) -> str:
        """The address to which the provider sends the browser back, once it knows the name."""
        answer = await self.there.get(address)
        for _ in range(10):
            if answer.is_redirect:
                target = answer.headers["Location"]
                if target.startswith(BASE):
                    return target
                answer = await self.there.get(httpx.URL(address).join(target))
                continue
            page = answer.text
            action = page.partition('action="')[2].partition('"')[0]
            answer = await self.there.post(
                action, data={"prompt": "login", "login": name, "password": "x"}
            )
        raise AssertionError(answer.text)

    async def sign_in(self, name: str, suite: str = "/") -> httpx.Response:
        """The service's answer when they come back."""
        return await self.come_back(await self.identify(await self.leave(suite), name))

    async def come_back(self, address: str) -> httpx.Response:
        return await self.here.open(address.removeprefix(BASE))


@pytest.fixture
async def person(office: Site) -> AsyncIterator[Person]:
    async with Person(office) as found:
        yield found


async def test_the_request_has_all_that_proconnect_asks_for(
    person: Person, provider: IdentityProvider
) -> None:
    address = urlsplit(await person.leave())
    asked = {name: value for name, (value,) in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}" == provider.issuer
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"] == f"{BASE}/connexion/retour"
    assert asked["scope"] == "openid given_name usual_name email siret idp_id"
    assert asked["code_challenge_method"] == "S256"
    assert min(len(asked["state"]), len(asked["nonce"])) >= 32
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    again = parse_qs(urlsplit(await person.leave()).query)
    assert again["state"] != [asked["state"]]


async def test_an_agent_signs_in_and_reads_by_the_mapping(
    person: Person, office: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "services")
    answer = await person.sign_in("camille", f"/notes/{corpus.RETRAITES.note_id}")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/notes/{corpus.RETRAITES.note_id}"
    found = await person.here.page(answer.headers["Location"])
    assert "Camille Lemaire" in found.one("div", "visitor").text
    me = (await person.here.client.get("/api/v1/me")).json()
    assert me["id"] == "person:camille"
    assert me["roles"] == [Role.READ]
    assert me["special_france"] is False
    row = office.registry.session(hash_of(person.here.client.cookies["valise"]))
    assert row is not None
    assert row.person is not None
    assert row.person.model_dump(exclude={"sub", "organizational_unit"}) == PEOPLE["camille"]
    assert "signed in: person:camille" in caplog.text
    assert "eyJ" not in caplog.text


async def test_whoever_the_mapping_does_not_name_is_told_so(person: Person) -> None:
    answer = await person.sign_in("alex")
    assert answer.status_code == 403
    assert "vous n’avez pas de droits dans Valise" in read(answer.text).one("main").text
    assert "valise" not in person.here.client.cookies


async def test_who_is_taken_out_of_the_mapping_is_out_at_once(
    person: Person, mapping: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await person.sign_in("camille")
    assert (await person.here.open("/")).status_code == 200
    rewrite(mapping, MAPPING.replace('["read"]', '["read", "submit"]'))
    assert (await person.here.open("/")).status_code == 200, "a wrong file changes nothing"
    assert "le rôle submit et des postes vont ensemble" in caplog.text
    rewrite(mapping, MAPPING.replace('["read"]', '["administer"]'))
    answer = await person.here.client.get("/api/v1/search")
    assert answer.status_code == 403
    rewrite(mapping, "people = []")
    assert (await person.here.open("/")).status_code == 303


async def test_a_code_cannot_be_used_twice(person: Person) -> None:
    address = await person.identify(await person.leave(), "camille")
    kept = dict(person.here.client.cookies)
    assert (await person.come_back(address)).status_code == 303
    person.here.client.cookies.clear()
    person.here.client.cookies.update(kept)
    assert (await person.come_back(address)).status_code == 403
    assert "valise" not in person.here.client.cookies


async def test_the_answer_to_another_browsers_attempt_signs_nobody_in(
    person: Person, office: Site
) -> None:
    async with Person(office) as attacker:
        address = await attacker.identify(await attacker.leave(), "camille")
    # Without an attempt of one's own, and with one.
    assert (await person.come_back(address)).status_code == 403
    await person.leave()
    assert (await person.come_back(address)).status_code == 403
    assert "valise" not in person.here.client.cookies


async def test_a_stolen_code_is_of_no_use_without_the_attempts_secret(
    person: Person, office: Site
) -> None:
    stolen = parse_qs(urlsplit(await person.identify(await person.leave(), "camille")).query)
    async with Person(office) as thief:
        own = parse_qs(urlsplit(await thief.leave()).query)
        # The thief's own state, so that only PKCE and the nonce stand in the way.
        answer = await thief.here.client.get(
            "/connexion/retour", params={"code": stolen["code"][0], "state": own["state"][0]}
        )
        assert answer.status_code == 403
        assert "valise" not in thief.here.client.cookies


async def test_who_gives_up_at_the_provider_is_told_and_may_try_again(person: Person) -> None:
    state = parse_qs(urlsplit(await person.leave()).query)["state"][0]
    answer = await person.here.open(f"/connexion/retour?error=access_denied&state={state}")
    assert answer.status_code == 403
    found = read(answer.text)
    assert "n’a pas abouti" in found.one("main").text
    assert found.all("a", "button")


async def test_signing_out_leads_to_the_provider_with_the_id_token(
    person: Person, provider: IdentityProvider
) -> None:
    await person.sign_in("camille")
    cookie = person.here.client.cookies["valise"]
    found = await person.here.page("/")
    answer = await person.here.send("/deconnexion", sign_out_field(found))
    assert answer.status_code == 200
    (onwards,) = [one["href"] for one in read(answer.text).all("a", "button")]
    asked = {name: value for name, (value,) in parse_qs(urlsplit(onwards).query).items()}
    assert onwards.startswith(f"{provider.issuer}/session/end?")
    assert asked["post_logout_redirect_uri"] == f"{BASE}/deconnexion/retour"
    assert (await person.there.get(onwards)).status_code == 200, "the provider takes the token"
    back = await person.here.open(f"/deconnexion/retour?state={asked['state']}")
    assert back.headers["Location"] == "/connexion?fin=1"
    person.here.client.cookies.set("valise", cookie)
    assert (await person.here.open("/")).status_code == 303


async def test_a_level_of_assurance_that_was_not_reached_is_refused(
    provider: IdentityProvider, mapping: Path, tmp_path: Path
) -> None:
    settings = {**provider.settings, "people": mapping, "public_url": BASE, "oidc_acr": "eidas3"}
    async with open_site(tmp_path / "site", **settings) as site, Person(site) as person:
        address = await person.leave()
        assert '"essential": true' in parse_qs(urlsplit(address).query)["claims"][0]
        answer = await person.there.get(address)
        state = parse_qs(urlsplit(address).query)["state"][0]
        assert answer.status_code in (303, 400), "the provider does not know that level"
        assert (
            await person.here.open(f"/connexion/retour?error=invalid_request&state={state}")
        ).status_code == 403


@pytest.mark.browser
async def test_an_agent_goes_the_whole_way_in_a_real_browser(office: Site, tmp_path: Path) -> None:
    async with served(office.app, PORT), open_tab(tmp_path) as tab:
        await tab.go(f"{BASE}/notes/{corpus.RETRAITES.note_id}")
        await tab.until("location.pathname === '/connexion'")
        assert_drawn(await tab.picture(tmp_path / "connexion.png"))
        await tab.click("a.button")
        await at_the_provider(tab)
        await tab.until("location.pathname.startsWith('/notes/')")
        assert "Camille Lemaire" in await tab.text()
        assert_drawn(await tab.picture(tmp_path / "note.png"))
        (session,) = [each for each in await tab.cookies() if each["name"] == "valise"]
        assert session["httpOnly"]
        assert session["sameSite"] == "Lax"
        await tab.click(".visitor button")
        await tab.until("location.pathname === '/session/end'")
        await tab.click("button[value=yes]")
        await tab.until("location.pathname === '/connexion'")
        assert "Vous êtes déconnecté" in await tab.text()
        assert_drawn(await tab.picture(tmp_path / "fin.png", 360, 800))
        await tab.go(f"{BASE}/")
        await tab.until("location.pathname === '/connexion'")


async def at_the_provider(tab: Tab) -> None:
    await tab.fill("input[name=login]", "camille")
    await tab.fill("input[name=password]", "x")
    await tab.click("button[type=submit]")


def assert_drawn(picture: bytes) -> None:
    assert len(set(picture[100:10_000])) > 100

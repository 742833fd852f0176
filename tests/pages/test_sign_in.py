"""Signing in and out with a browser: by a key, by a link that opens the pages once."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from schemas.access import KeyOrder, Rights, Role
from services.runtime.access import keys
from services.runtime.access.forgery import FORM, form
from services.runtime.access.sessions import hash_of
from services.runtime.problems import ProblemError
from services.runtime.registry.database import Database
from services.runtime.registry.tables import sessions, tickets
from services.search.sign_in.target import MAX_LENGTH, checked
from tests.keys import SECRET, a_key
from tests.pages.chromium import open_tab
from tests.pages.serving import served
from tests.pages.visitor import Visitor, hidden, sign_out_field
from tests.search import corpus
from tests.search.site import Site, open_site

COOKIE = "valise"


@pytest.fixture
async def visitor(empty_site: Site) -> AsyncIterator[Visitor]:
    found = Visitor.of(empty_site.app)
    async with found.client:
        yield found


async def test_a_page_leads_to_the_sign_in_page_and_back(site: Site, visitor: Visitor) -> None:
    asked = f"/notes/{corpus.RETRAITES.note_id}?a=é&b=1"
    answer = await visitor.open(asked)
    assert answer.status_code == 303
    assert answer.headers["Cache-Control"] == "no-store"
    found = await visitor.page(answer.headers["Location"])
    fields = hidden(found)
    answer = await visitor.send("/connexion", {**fields, "cle": f" {SECRET} "})
    assert answer.status_code == 303
    target = answer.headers["Location"]
    assert target == f"/notes/{corpus.RETRAITES.note_id}?a=%C3%A9&b=1"
    assert (await visitor.page(target)).one("h1").text == corpus.RETRAITES.note.subject


async def test_the_cookie_is_for_the_service_alone(visitor: Visitor) -> None:
    answer = await visitor.sign_in(str(SECRET))
    (given,) = [
        each for each in answer.headers.get_list("Set-Cookie") if each.startswith(f"{COOKIE}=")
    ]
    attributes = {part.strip().lower() for part in given.split(";")[1:]}
    assert attributes == {"httponly", "path=/", "samesite=lax"}


async def test_over_tls_the_cookie_is_bound_to_the_host_and_never_sent_in_clear(
    tmp_path: Path,
) -> None:
    public = "https://valise.example.fr"
    async with open_site(tmp_path, public_url=public) as empty_site:
        visitor = Visitor.of(empty_site.app, public)
        async with visitor.client:
            answer = await visitor.sign_in(str(SECRET))
            (given,) = [
                each
                for each in answer.headers.get_list("Set-Cookie")
                if each.startswith("__Host-valise=")
            ]
            attributes = {part.strip().lower() for part in given.split(";")[1:]}
            assert attributes == {"httponly", "path=/", "samesite=lax", "secure"}
            assert (await visitor.open("/")).status_code == 200
            value = visitor.client.cookies["__Host-valise"]
            # The same bits under the name without the prefix, which a neighbour could set.
            async with Visitor.of(empty_site.app, public).client as other:
                answer = await other.get("/api/v1/me", headers={"Cookie": f"valise={value}"})
            assert answer.status_code == 401


async def test_the_registry_cannot_be_used_to_sign_in(empty_site: Site, visitor: Visitor) -> None:
    await visitor.sign_in(str(SECRET))
    secret = visitor.client.cookies[COOKIE]
    database = Database(empty_site.settings.registry_url)
    with database.reading() as connection:
        (row,) = connection.execute(sessions.select())
    database.close()
    assert row.hash == hash_of(secret)
    assert secret not in str(row)
    stolen = Visitor.of(empty_site.app)
    async with stolen.client:
        stolen.client.cookies.set(COOKIE, row.hash)
        assert (await stolen.open("/")).status_code == 303


async def test_a_reader_sees_who_is_signed_in_and_signs_out(
    empty_site: Site, visitor: Visitor
) -> None:
    await visitor.sign_in(str(SECRET))
    found = await visitor.page("/")
    assert "administrateur du déploiement" in found.one("div", "visitor").text
    cookie = visitor.client.cookies[COOKIE]
    answer = await visitor.send("/deconnexion", sign_out_field(found))
    assert answer.status_code == 303
    assert COOKIE not in visitor.client.cookies
    assert (
        "Vous êtes déconnecté" in (await visitor.page(answer.headers["Location"])).one("main").text
    )
    visitor.client.cookies.set(COOKIE, cookie)
    assert (await visitor.open("/")).status_code == 303, "the session itself has ended"


async def test_programs_are_told_with_a_problem(visitor: Visitor) -> None:
    for address in ("/api/v1/search", "/feeds/all.atom", "/api/v1/me"):
        answer = await visitor.open(address)
        assert answer.status_code == 401
        assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_wrong_key_is_told_and_begins_nothing(visitor: Visitor) -> None:
    for wrong in ("", "valise_", str(keys.new()), f"{SECRET}x", "é" * 50):
        answer = await visitor.sign_in(wrong)
        assert answer.status_code == 403
        assert "inconnue, expirée ou révoquée" in answer.text
        assert COOKIE not in visitor.client.cookies
        if len(wrong) > 40:
            assert wrong not in answer.text


@pytest.mark.parametrize(
    "suite",
    [
        "https://ailleurs.example/",
        "//ailleurs.example/",
        "/\\ailleurs.example",
        "/%0d%0aSet-Cookie:a=b\r\nX: y",
        "\t//ailleurs.example",
        "javascript:alert(1)",
        "connexion",
        "/connexion?suite=/",
        "/deconnexion",
        "",
    ],
)
async def test_nobody_is_led_elsewhere_after_signing_in(visitor: Visitor, suite: str) -> None:
    found = await visitor.page(f"/connexion?suite={quote(suite)}")
    assert hidden(found)["suite"] == "/"
    fields = {**hidden(found), "suite": suite, "cle": str(SECRET)}
    answer = await visitor.send("/connexion", fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


@given(st.text(alphabet=st.sampled_from("/\\:@?#.%\t\r\n abé"), max_size=12))
def test_a_target_is_always_a_path_of_this_service(text: str) -> None:
    target = checked(text)
    assert re.fullmatch(r"/([^/\\\s][^\\\s]*)?", target)


async def test_nobody_is_signed_in_by_a_page_elsewhere(empty_site: Site, visitor: Visitor) -> None:
    found = await visitor.page("/connexion")
    fields = {**hidden(found), "cle": str(SECRET)}
    for site_said in ("cross-site", "same-site", "none"):
        answer = await visitor.send("/connexion", fields, site=site_said)
        assert answer.status_code == 403
    # A form taken from the attacker's own browser does not fit the victim's.
    own = Visitor.of(empty_site.app)
    async with own.client:
        theirs = hidden(await own.page("/connexion"))
    for token in (theirs["csrf"], "", "é"):
        answer = await visitor.send("/connexion", {**fields, "csrf": token})
        assert answer.status_code == 403
    assert COOKIE not in visitor.client.cookies


class TestACookieAlone:
    """What a page elsewhere can have the browser of somebody signed in do."""

    order: ClassVar = {"name": "intrus", "rights": {"roles": ["read"]}}

    async def change(self, visitor: Visitor, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await visitor.client.post("/api/v1/keys", json=self.order, headers=named)
        return answer.status_code

    async def test_reads(self, visitor: Visitor) -> None:
        await visitor.sign_in(str(SECRET))
        assert (await visitor.client.get("/api/v1/me")).json()["id"] == "key:1"

    async def test_changes_nothing(self, visitor: Visitor) -> None:
        await visitor.sign_in(str(SECRET))
        csrf = sign_out_field(await visitor.page("/"))["csrf"]
        assert await self.change(visitor) == 403
        assert await self.change(visitor, Sec_Fetch_Site="same-origin") == 403
        assert await self.change(visitor, X_CSRF_Token=csrf) == 403
        assert await self.change(visitor, X_CSRF_Token=csrf, Sec_Fetch_Site="cross-site") == 403
        assert await self.change(visitor, X_CSRF_Token=csrf, Sec_Fetch_Site="same-site") == 403
        assert await self.change(visitor, X_CSRF_Token=csrf, Origin="https://a.example") == 403
        assert await self.change(visitor, X_CSRF_Token=csrf, Origin="null") == 403
        wrong = csrf[:-1] + ("A" if csrf[-1] != "A" else "B")
        assert await self.change(visitor, X_CSRF_Token=wrong, Sec_Fetch_Site="same-origin") == 403
        listed = (await visitor.client.get("/api/v1/keys")).json()["keys"]
        assert [key["name"] for key in listed] == ["administrateur du déploiement"]

    async def test_with_the_token_of_a_page_and_from_here_it_does(self, visitor: Visitor) -> None:
        await visitor.sign_in(str(SECRET))
        csrf = sign_out_field(await visitor.page("/"))["csrf"]
        assert await self.change(visitor, X_CSRF_Token=csrf, Sec_Fetch_Site="same-origin") == 201
        origin = "http://127.0.0.1:8000"
        assert await self.change(visitor, X_CSRF_Token=csrf, Origin=origin) == 201

    async def test_does_not_sign_out_either(self, visitor: Visitor) -> None:
        await visitor.sign_in(str(SECRET))
        assert (await visitor.send("/deconnexion", {}, site="cross-site")).status_code == 403
        assert (await visitor.open("/")).status_code == 200

    async def test_a_key_beside_it_wins(self, empty_site: Site, visitor: Visitor) -> None:
        await visitor.sign_in(str(SECRET))
        reader = a_key(empty_site.registry, Role.READ)
        answer = await visitor.client.post("/api/v1/keys", json=self.order, headers=reader)
        assert answer.status_code == 403
        answer = await visitor.client.get("/api/v1/me", headers={"Authorization": "Bearer x"})
        assert answer.status_code == 401


def expiring(site: Site, delta: timedelta, *roles: Role) -> tuple[int, str]:
    """The number and the text of a key that ends then."""
    secret, now = keys.new(), datetime.now(UTC)
    order = KeyOrder(
        name="de passage",
        rights=Rights(roles=frozenset(roles or (Role.READ,))),
        expires_at=now + delta,
    )
    return site.registry.add_key(order, secret.label, secret.hash, now).number, str(secret)


async def test_a_session_ends_with_its_key(empty_site: Site, visitor: Visitor) -> None:
    number, secret = expiring(empty_site, timedelta(hours=1))
    await visitor.sign_in(secret)
    assert (await visitor.open("/")).status_code == 200
    empty_site.registry.end_key(number, datetime.now(UTC), revoked=True)
    forget(empty_site)
    assert (await visitor.open("/")).status_code == 303


async def test_a_session_outlives_no_key_that_expires(empty_site: Site, visitor: Visitor) -> None:
    number, secret = expiring(empty_site, timedelta(hours=1))
    await visitor.sign_in(secret)
    empty_site.registry.end_key(number, datetime.now(UTC), revoked=False)
    forget(empty_site)
    assert (await visitor.open("/")).status_code == 303


def forget(site: Site) -> None:
    """As if the seconds had passed for which the gate believes what it knew."""
    rows = site.app.state.gate.sessions._rows
    for name in list(rows._known):
        rows.forget(name)


async def test_a_link_opens_the_pages_once(empty_site: Site, visitor: Visitor) -> None:
    asked = await empty_site.reader.post("/api/v1/sign-in-links")
    assert asked.status_code == 201
    address = asked.json()["url"]
    assert address.startswith("http://valise.test/connexion?billet=")
    path = address.removeprefix("http://valise.test")
    # What looks at links before people do, mail filters and previews, does not use it up.
    await visitor.page(path)
    found = await visitor.page(path)
    assert "administrateur du déploiement" in found.one("main").text
    answer = await visitor.send("/connexion", hidden(found))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert (await visitor.open("/")).status_code == 200
    again = Visitor.of(empty_site.app)
    async with again.client:
        assert "a déjà servi" in (await again.page(path)).one("main").text
        fields = hidden(await again.page("/connexion"))
        answer = await again.send("/connexion", {**fields, "billet": path.rpartition("=")[2]})
        assert answer.status_code == 403
        assert (await again.open("/")).status_code == 303


async def test_a_link_is_of_no_use_after_ten_minutes(empty_site: Site, visitor: Visitor) -> None:
    address = (await empty_site.reader.post("/api/v1/sign-in-links")).json()["url"]
    database = Database(empty_site.settings.registry_url)
    with database.writing() as connection:
        past = datetime.now(UTC) - timedelta(seconds=1)
        connection.execute(tickets.update().values(expires_at=past))
        (row,) = connection.execute(tickets.select())
    database.close()
    assert address.rpartition("=")[2] not in str(row)
    found = await visitor.page(address.removeprefix("http://valise.test"))
    assert "n’est plus valable" in found.one("main").text
    assert "billet" not in hidden(found)


async def test_a_link_is_of_no_use_once_its_key_is_revoked(
    empty_site: Site, visitor: Visitor
) -> None:
    number, secret = expiring(empty_site, timedelta(hours=1))
    answer = await empty_site.reader.post(
        "/api/v1/sign-in-links", headers={"Authorization": f"Bearer {secret}"}
    )
    empty_site.registry.end_key(number, datetime.now(UTC), revoked=True)
    found = await visitor.page(answer.json()["url"].removeprefix("http://valise.test"))
    assert "billet" not in hidden(found)


async def test_a_session_does_not_make_links_that_outlast_it(visitor: Visitor) -> None:
    await visitor.sign_in(str(SECRET))
    csrf = sign_out_field(await visitor.page("/"))["csrf"]
    answer = await visitor.client.post(
        "/api/v1/sign-in-links", headers={"X-CSRF-Token": csrf, "Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code == 403


async def test_nothing_of_what_signs_in_is_logged(
    empty_site: Site, visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    address = (await empty_site.reader.post("/api/v1/sign-in-links")).json()["url"]
    ticket = address.rpartition("=")[2]
    fields = hidden(await visitor.page(address.removeprefix("http://valise.test")))
    await visitor.send("/connexion", fields)
    secret = visitor.client.cookies[COOKIE]
    await visitor.sign_in(str(SECRET))
    said = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith("services")
    )
    assert "signed in: key:1" in said
    for never in (ticket, secret, SECRET.secret, visitor.client.cookies[COOKIE]):
        assert never not in said


@pytest.mark.browser
async def test_a_link_opens_the_pages_in_a_real_browser(site: Site, tmp_path: Path) -> None:
    async with served(site.app) as base, open_tab(tmp_path) as tab:
        link = (await site.reader.post("/api/v1/sign-in-links")).json()["url"]
        await tab.go(link.replace("http://valise.test", base))
        await tab.until("document.querySelectorAll('main button').length === 1")
        assert len(set((await tab.picture(tmp_path / "billet.png"))[100:10_000])) > 100
        await tab.click("main button")
        await tab.until("location.pathname === '/'")
        assert "billet" not in await tab.address()
        assert corpus.RETRAITES.note.subject in await tab.text()
        assert await tab.picture(tmp_path / "narrow.png", 320, 700)
        assert await tab.evaluated("document.documentElement.scrollWidth") == 320
        assert await tab.evaluated("document.cookie") == "", "no script can read it"
        await tab.click(".visitor button")
        await tab.until("location.pathname === '/connexion'")
        assert "Vous êtes déconnecté" in await tab.text()


async def test_signing_in_and_out_is_in_the_journal(empty_site: Site, visitor: Visitor) -> None:
    address = (await empty_site.reader.post("/api/v1/sign-in-links")).json()["url"]
    found = await visitor.page(address.removeprefix("http://valise.test"))
    await visitor.send("/connexion", hidden(found))
    await visitor.send("/deconnexion", sign_out_field(await visitor.page("/fils")))
    await visitor.sign_in(str(keys.new()))
    await visitor.sign_in(str(SECRET))
    await empty_site.journal.flush()
    entries = (await empty_site.get("/api/v1/journal")).json()["entries"]
    assert [(each["who"], each["action"], each["details"]) for each in reversed(entries)] == [
        ("key:1", "signed_in", {"what": "link made"}),
        ("key:1", "signed_in", {"what": "link"}),
        ("key:1", "followed", {"what": "list"}),
        ("key:1", "signed_out", {}),
        ("", "refused", {"status": 403, "tried": "POST /connexion"}),
        ("key:1", "signed_in", {"what": "key"}),
    ]


@pytest.mark.parametrize("what", ["key", "link", "cookie"])
async def test_keys_links_and_cookies_cannot_be_guessed_at_leisure(
    tmp_path: Path, what: str
) -> None:
    async with open_site(tmp_path, failures=3) as site:
        visitor = Visitor.of(site.app)
        async with visitor.client:
            got = [await guessed(visitor, what) for _ in range(4)]
            assert got[0] in (200, 401, 403)
            assert got[-1] == 429


async def guessed(visitor: Visitor, what: str) -> int:
    """What one more wrong key, link or cookie gets."""
    secret = keys.new()
    if what == "cookie":
        visitor.client.cookies.set(COOKIE, secret.secret)
        return (await visitor.client.get("/api/v1/me")).status_code
    if what == "link":
        return (await visitor.open(f"/connexion?billet={secret.secret}")).status_code
    return (await visitor.sign_in(str(secret))).status_code


@pytest.mark.parametrize("path", ["/connexion", "/deconnexion"])
@pytest.mark.parametrize(("size", "status"), [(4_096, 403), (4_097, 413), (60_000, 413)])
async def test_a_form_is_read_up_to_the_size_of_ours(
    visitor: Visitor, path: str, size: int, status: int
) -> None:
    await visitor.sign_in(str(SECRET))
    answer = await visitor.client.post(
        path,
        content="cle=".ljust(size, "%"),
        headers={"Content-Type": FORM, "Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == status


async def test_more_than_was_declared_is_not_read() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"%" * 3_000, "more_body": True}

    named = [(b"content-type", FORM.encode()), (b"content-length", b"10")]
    with pytest.raises(ProblemError) as refused:
        await form(Request({"type": "http", "headers": named}, receive))
    assert refused.value.problem.status == 413


async def test_the_longest_target_comes_through_the_form(visitor: Visitor) -> None:
    target = "/?q=" + "%C3%A9" * 166
    assert len(target) == MAX_LENGTH
    answer = await visitor.sign_in(str(SECRET), quote(target))
    assert (answer.status_code, answer.headers["Location"]) == (303, target)
    answer = await visitor.sign_in(str(SECRET), quote(target + "a"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")

"""What people and programs do is in the journal: who, what and when, and never a note's text."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from sqlalchemy import text

from schemas.access import Role
from services.cli.journal import line
from services.cli.terminal import say
from services.runtime.errors import Unavailable
from services.runtime.journal import writer
from services.runtime.journal.given import address_of
from services.runtime.registry import Draft
from services.runtime.registry.database import Database
from tests.builders import a_classified_note, a_note
from tests.keys import HEADERS, SECRET
from tests.search.site import Site, open_site

NOTE = a_classified_note(a_note())
PATH = "/api/v1/journal"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A service with one note."""
    async with open_site(tmp_path) as opened:
        await opened.take(NOTE)
        yield opened


async def entries(site: Site, **filters: str) -> list[dict[str, Any]]:
    """The journal's entries, the oldest first, without those about itself."""
    await site.journal.flush()
    answer = await site.reader.get(PATH, params=filters)
    assert answer.status_code == 200, answer.text
    found = answer.json()["entries"]
    return [each for each in reversed(found) if each["object"] != "journal"]


async def only(site: Site) -> dict[str, Any]:
    (one,) = await entries(site)
    return one


async def test_a_search_is_entered_with_its_words_its_filters_and_the_number_of_hits(
    site: Site,
) -> None:
    await site.get("/api/v1/search?q=retraites&post=berlin&size=5")
    one = await only(site)
    assert (one["action"], one["who"], one["number"]) == ("searched", "key:1", 1)
    assert one["details"] == {"words": "retraites", "post": ["berlin"], "hits": 1}
    assert one["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("address", "action", "what"),
    [
        ("/api/v1/notes/{}", "read", "note"),
        ("/notes/{}", "read", "note"),
        ("/api/v1/notes/{}/trace", "read", "trace"),
    ],
)
async def test_a_note_that_was_read_is_one_entry_on_a_page_as_by_the_api(
    site: Site, address: str, action: str, what: str
) -> None:
    answer = await site.browse(address.format(NOTE.note_id))
    assert answer.status_code == 200
    one = await only(site)
    assert (one["action"], one["object"]) == (action, str(NOTE.note_id))
    assert one["details"]["what"] == what
    assert NOTE.note.subject not in json.dumps(one, ensure_ascii=False)


async def test_a_search_on_the_page_is_one_entry(site: Site) -> None:
    await site.browse("/?q=retraites")
    assert (await only(site))["details"] == {"words": "retraites", "hits": 1}


async def test_a_note_looked_at_again_unchanged_was_read_again(site: Site) -> None:
    address = f"/api/v1/notes/{NOTE.note_id}"
    tag = (await site.get(address)).headers["ETag"]
    assert (await site.get(address, If_None_Match=tag)).status_code == 304
    assert [each["action"] for each in await entries(site)] == ["read", "read"]


async def test_a_feed_is_entered_when_it_had_something_new(site: Site) -> None:
    first = await site.get("/feeds/all.atom")
    again = await site.get("/feeds/all.atom", If_None_Match=first.headers["ETag"])
    assert (first.status_code, again.status_code) == (200, 304)
    one = await only(site)
    assert (one["action"], one["object"], one["details"]) == ("followed", "all", {"form": "atom"})


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"If_None_Match": "*"},
        {"If_None_Match": '"guessed"'},
        {"If_Modified_Since": "Fri, 31 Dec 2100 00:00:00 GMT"},
        {"If_None_Match": "own"},
        {"If_None_Match": 'W/"x", own'},
    ],
)
@pytest.mark.parametrize("words", ["retraites", "zizanie"])
async def test_a_feed_with_words_is_a_search_whatever_is_answered(
    site: Site, words: str, kept: dict[str, str]
) -> None:
    path = f"/feeds/search.json?q={words}&post=berlin"
    own = (await site.get(path)).headers["ETag"]
    given = {name: value.replace("own", own) for name, value in kept.items()}
    again = await site.get(path, **given)
    assert again.status_code == (304 if given and "guessed" not in str(given) else 200)
    for each in await entries(site):
        assert (each["action"], each["object"]) == ("searched", "")
        assert each["details"] == {"words": words, "post": ["berlin"], "feed": "json"}
    assert len(await entries(site)) == 2
    assert (await site.reader.head(path)).status_code == 200
    assert len(await entries(site)) == 3


@pytest.mark.parametrize(
    "kept", [{"If_None_Match": "*"}, {"If_Modified_Since": "Fri, 31 Dec 2100 00:00:00 GMT"}]
)
async def test_only_who_was_given_a_feed_asks_again_without_an_entry(
    site: Site, kept: dict[str, str]
) -> None:
    own = (await site.get("/feeds/all.json")).headers["ETag"]
    assert (await site.get("/feeds/all.json", **kept)).status_code == 304
    assert len(await entries(site)) == 2
    assert (await site.get("/feeds/all.json", If_None_Match=own)).status_code == 304
    assert len(await entries(site)) == 2
    site.read_by(Role.READ)
    assert (await site.get("/feeds/all.json", If_None_Match=own)).status_code == 200
    site.reader.headers.update(HEADERS)
    assert [each["who"] for each in await entries(site)] == ["key:1", "key:1", "key:2"]


@pytest.mark.parametrize("kept", ["*", 'W/"1.0.1", *', "own"])
async def test_a_note_that_is_answered_304_is_entered_as_read(site: Site, kept: str) -> None:
    address = f"/api/v1/notes/{NOTE.note_id}"
    own = (await site.get(address)).headers["ETag"]
    await site.get(address, If_None_Match=kept.replace("own", own))
    assert [each["action"] for each in await entries(site)] == ["read", "read"]


async def test_the_export_of_corrections_is_a_download(site: Site) -> None:
    await site.get("/api/v1/corrections")
    one = await only(site)
    assert (one["action"], one["details"]) == ("downloaded", {"what": "corrections"})


async def test_what_was_not_found_or_not_understood_is_no_reading(site: Site) -> None:
    assert (await site.get(f"/api/v1/notes/{a_note(post='madrid').id}")).status_code == 404
    assert (await site.get("/api/v1/search?inconnu=1")).status_code == 422
    assert await entries(site) == []


@pytest.mark.parametrize("bound", ["from", "to"])
@pytest.mark.parametrize(
    "moment",
    ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "1999-12-31T23:59:59Z"],
)
async def test_a_moment_outside_of_the_calendar_is_refused_clearly(
    site: Site, bound: str, moment: str
) -> None:
    answer = await site.reader.get(PATH, params={bound: moment})
    assert answer.status_code == 422, answer.text
    (wrong,) = answer.json()["errors"]
    assert wrong == {"field": bound, "detail": "moment attendu entre 2000 et 2199"}


async def test_refused_access_is_entered_with_what_was_tried_and_never_with_the_key(
    site: Site,
) -> None:
    stranger = str(SECRET).replace("A", "B")
    await site.get("/api/v1/search?q=secret", Authorization=f"Bearer {stranger}")
    await site.get(f"/api/v1/notes/{stranger}", Authorization="")
    admin = dict(site.reader.headers)
    site.read_by(Role.READ)
    assert (await site.get("/api/v1/keys")).status_code == 403
    site.reader.headers.update(admin)
    unknown, no_key, reader = await entries(site)
    assert {each["action"] for each in (unknown, no_key, reader)} == {"refused"}
    assert (unknown["who"], unknown["name"]) == ("", "")
    assert unknown["details"] == {"status": 401, "tried": "GET /api/v1/search"}
    assert no_key["details"]["tried"] == "GET /api/v1/notes/valise_…"
    assert reader["who"] == "key:2"
    assert reader["details"] == {"status": 403, "tried": "GET /api/v1/keys"}
    assert stranger[-20:] not in (site.settings.data / "registry.sqlite3").read_bytes().decode(
        errors="replace"
    )


@pytest.mark.parametrize(
    ("path", "tried"),
    [
        ("/api/v1/notes/%1b%5d0;PWNED%07/trace", "/api/v1/notes/%1b%5d0;PWNED%07/trace"),
        ("/api/v1/notes/a%0d%0aINFO%09b/trace", "/api/v1/notes/a%0d%0aINFO%09b/trace"),
        ("/api/v1/notes/%e2%80%aetxt/trace", "/api/v1/notes/%e2%80%aetxt/trace"),
        (f"/api/v1/notes/{str(SECRET).replace('_', '%5f')}", "/api/v1/notes/valise_…"),
    ],
)
async def test_a_path_that_was_refused_is_entered_as_it_was_sent(
    site: Site, path: str, tried: str
) -> None:
    await site.reader.get(f"http://valise.test{path}", headers={"Authorization": ""})
    (one,) = await entries(site, action="refused")
    assert one["details"]["tried"] == f"GET {tried}"
    assert one["details"]["tried"].isprintable()


async def test_bytes_that_are_no_address_are_entered_as_an_address() -> None:
    scope = {"raw_path": b"/a\xff\x1b\r\n b%2f", "path": "/"}
    assert address_of(scope) == "/a%FF%1B%0D%0A%20b%2f"
    assert address_of({"path": "/é\x1b"}) == "/%C3%A9%1B"


async def test_a_method_and_a_path_without_end_leave_a_short_entry(site: Site) -> None:
    await site.reader.request("X" * 5_000, "/api/v1/keys" + "/x" * 5_000)
    await site.reader.get(f"/api/v1/notes/{'x' * 5_000}", headers={"Authorization": ""})
    (one,) = await entries(site, action="refused")
    assert len(one["details"]["tried"]) == len("GET ") + 200


@pytest.mark.parametrize("sign", ["\u200b", "\u00ad", "\u2028", "\u061c", "\u200f", "\U000e0041"])
async def test_what_cannot_be_seen_in_what_somebody_typed_is_entered_so_that_it_can(
    site: Site, sign: str
) -> None:
    address = f"/api/v1/search?q={quote(f'retra{sign}ites')}"
    assert (await site.get(address)).status_code == 200
    order = {"name": f"Poste{sign}de Rome", "rights": {"roles": ["read"]}}
    made = await site.reader.post("/api/v1/keys", json=order)
    assert made.status_code == 201
    site.reader.headers["Authorization"] = f"Bearer {made.json()['key']}"
    await site.get(address)
    site.reader.headers.update(HEADERS)
    searched, key_made, by_other = await entries(site)
    kept = " " if sign == "\u2028" else quote(sign)  # a separator of lines is a space to a search
    assert searched["details"]["words"] == f"retra{kept}ites"
    assert key_made["details"]["name"] == by_other["name"] == f"Poste{kept}de Rome"


@pytest.mark.parametrize("written", [str(SECRET), str(SECRET).upper(), " ".join(str(SECRET))])
async def test_a_key_typed_in_the_wrong_place_is_kept_nowhere(
    site: Site, written: str, caplog: pytest.LogCaptureFixture
) -> None:
    typed = f"retraites {written}"
    for path in ("/api/v1/search", "/feeds/search.json", "/"):
        assert (await site.get(f"{path}?q={quote(typed)}")).status_code == 200
    order = {"name": typed[:200], "rights": {"roles": ["read"]}}
    assert (await site.reader.post("/api/v1/keys", json=order)).status_code == 201
    found = await entries(site)
    assert [each["details"].get("words") for each in found[:3]] == ["retraites valise_…"] * 3
    assert found[3]["details"]["name"] == "retraites valise_…"
    listed = (await site.reader.get("/api/v1/keys")).json()["keys"]
    assert listed[0]["name"] == "retraites valise_…"
    site.registry.close()
    for file in site.settings.data.glob("registry.sqlite3*"):
        assert written.encode() not in file.read_bytes()
    assert written not in caplog.text


async def test_entries_of_former_releases_stay_as_they_are_and_show_without_effect(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = f"GET /\x1b]0;PWNED\x07\u202e{SECRET}"
    details = json.dumps({"tried": tried}, ensure_ascii=False)
    moment = datetime(2026, 3, 4, tzinfo=UTC)
    site.registry.enter([Draft(uuid4(), moment, "", "", "refused", "", details, "127.0.0.1")])
    await site.get("/api/v1/search?q=retraites")
    old, _ = await entries(site)
    assert old["details"] == {"tried": tried}
    say(line(old))
    shown = capsys.readouterr().out
    assert r"\u001b]0;PWNED\u0007\u202e" in shown
    assert shown.removesuffix("\n").isprintable()
    assert (await site.reader.get(f"{PATH}/verify")).json()["whole"]


async def test_keys_made_replaced_and_revoked_are_entered_before_the_answer(site: Site) -> None:
    order = {"name": "Lecture", "rights": {"roles": ["read"], "clearance": "non_protege"}}
    made = (await site.reader.post("/api/v1/keys", json=order)).json()
    assert site.registry.journal_head().number == 1
    await site.reader.post(f"/api/v1/keys/{made['number']}/rotate")
    await site.reader.delete(f"/api/v1/keys/{made['number']}")
    found = await entries(site, action="administered")
    assert [(each["details"]["what"], each["object"]) for each in found] == [
        ("key_made", "key:2"),
        ("key_made", "key:3"),
        ("key_rotated", "key:2"),
        ("key_revoked", "key:2"),
    ]
    assert found[0]["details"]["roles"] == ["read"]
    assert found[1]["details"]["replaces"] == 2
    assert made["key"].split("_", 2)[2] not in json.dumps(found)


async def test_reading_the_journal_is_in_the_journal(site: Site) -> None:
    await site.reader.get(PATH, params={"who": "key:1"})
    await site.reader.get(f"{PATH}/verify")
    await site.journal.flush()
    verified, read = (await site.reader.get(PATH)).json()["entries"]
    assert read["details"] == {"what": "journal_read", "of": "key:1"}
    assert verified["details"] == {"what": "journal_verified", "whole": True}


async def test_the_journal_is_paged_and_filtered(site: Site) -> None:
    for words in ("un", "deux", "trois"):
        await site.get(f"/api/v1/search?q={words}")
    await site.get(f"/api/v1/notes/{NOTE.note_id}")
    assert len(await entries(site, action="searched")) == 3
    assert len(await entries(site, note=str(NOTE.note_id))) == 1
    assert await entries(site, to="2020-01-01T00:00:00Z") == []
    page = (await site.reader.get(PATH, params={"action": "searched", "size": 2})).json()
    assert [each["details"]["words"] for each in page["entries"]] == ["trois", "deux"]
    rest = await site.reader.get(PATH, params={"action": "searched", "before": page["next"]})
    assert [each["details"]["words"] for each in rest.json()["entries"]] == ["un"]
    assert rest.json()["next"] is None


@pytest.mark.parametrize(
    "wrong",
    [{"action": "deviner"}, {"from": "hier"}, {"before": "0"}, {"size": "501"}, {"note": "x"}],
)
async def test_wrong_filters_are_refused(site: Site, wrong: dict[str, str]) -> None:
    assert (await site.reader.get(PATH, params=wrong)).status_code == 422


@pytest.mark.parametrize("address", [PATH, f"{PATH}/verify"])
async def test_the_journal_is_for_administrators(site: Site, address: str) -> None:
    site.read_by(Role.READ)
    assert (await site.get(address)).status_code == 403


async def test_the_check_names_an_altered_entry_and_compares_a_noted_head(site: Site) -> None:
    for _ in range(3):
        await site.get("/api/v1/search?q=retraites")
    await site.journal.flush()
    noted = str(site.registry.journal_head())
    found = (await site.reader.get(f"{PATH}/verify", params={"head": noted})).json()
    assert (found["whole"], found["faults"]) == (True, [])
    database = Database(site.settings.registry_url)
    with database.writing() as connection:
        connection.execute(text("DROP TRIGGER journal_no_update"))
        connection.execute(text("UPDATE journal SET who = 'key:9', details = '?' WHERE number = 2"))
    database.close()
    found = (await site.reader.get(f"{PATH}/verify", params={"head": noted})).json()
    assert not found["whole"]
    assert [fault["number"] for fault in found["faults"]] == [2]
    shown = (await site.reader.get(PATH, params={"who": "key:9"})).json()["entries"]
    assert shown[0]["details"] == {"unreadable": "?"}
    assert (await site.reader.get(f"{PATH}/verify?head=5")).status_code == 422


async def test_a_reader_gets_503_when_nothing_more_can_be_recorded(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_WAITING", 2)
    address = "/api/v1/search?q=retraites"
    assert [(await site.get(address)).status_code for _ in range(3)] == [200, 200, 503]
    refused = await site.get(address)
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) > 0
    assert NOTE.note.subject not in refused.text
    await site.journal.flush()
    assert (await site.get(address)).status_code == 200


async def test_what_cannot_be_entered_is_not_answered_and_is_entered_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise Unavailable("away")

    order = {"name": "Lecture", "rights": {"roles": ["read"], "clearance": "non_protege"}}
    with monkeypatch.context() as patch:
        patch.setattr(site.registry, "enter", away)
        answer = await site.reader.post("/api/v1/keys", json=order)
        assert answer.status_code == 503
        assert "valise_" not in answer.text
    assert (await entries(site))[0]["details"]["what"] == "key_made"


async def test_every_documented_answer_is_recorded_or_known_not_to_be(site: Site) -> None:
    """A route that is added later must say what it does, or be listed here."""
    silent = {"/api/v1/me"}
    documented = site.app.openapi()["paths"]
    reading = {path for path, methods in documented.items() if "get" in methods} - silent
    names = {"note_id": str(NOTE.note_id), "path": "all.atom"}
    needed = {"/api/v1/notes": "?post=berlin"}
    for path in sorted(reading):
        before = (await _written(site)).number
        address = path.format(**names) + needed.get(path, "")
        assert (await site.get(address)).status_code in (200, 404), address
        if path != "/api/v1/notes/{note_id}/revisions":  # the site's registry has no receipts
            assert (await _written(site)).number == before + 1, address


async def _written(site: Site) -> Any:
    await site.journal.flush()
    return site.registry.journal_head()


async def made(site: Site, name: str) -> None:
    order = {"name": name, "rights": {"roles": ["read"]}}
    key = (await site.reader.post("/api/v1/keys", json=order)).json()["key"]
    await site.get("/api/v1/search?q=retraites", Authorization=f"Bearer {key}")


@pytest.mark.parametrize("asked", ["key:2", "DSS, bureau 4", "dss,  Bureau 4"])
async def test_who_is_asked_by_id_or_by_name(site: Site, asked: str) -> None:
    await made(site, "DSS, bureau 4")
    await made(site, "Élise Martin")
    assert [each["who"] for each in await entries(site, who=asked)] == ["key:2"]
    assert [each["who"] for each in await entries(site, who="elise martin")] == ["key:3"]


async def test_a_name_covers_all_keys_that_bear_it(site: Site) -> None:
    await made(site, "Poste de Rome")
    await made(site, "Poste de Rome")
    found = await entries(site, who="poste de rome")
    assert [each["who"] for each in found] == ["key:2", "key:3"]


@pytest.mark.parametrize(
    ("asked", "near"),
    [("Elise Marten", "« Élise Martin » (key:2)"), ("martin", "Élise Martin"), ("key 2", "key:2")],
)
async def test_an_unknown_name_is_said_with_those_that_are_near(
    site: Site, asked: str, near: str
) -> None:
    await made(site, "Élise Martin")
    answer = await site.reader.get(PATH, params={"who": asked})
    assert answer.status_code == 422
    (wrong,) = answer.json()["errors"]
    assert wrong["field"] == "who"
    assert near in wrong["detail"]


async def test_an_id_without_entries_finds_none(site: Site) -> None:
    assert await entries(site, who="key:99") == []

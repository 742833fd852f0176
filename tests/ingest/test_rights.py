"""In whose name a key sends and changes notes, and who corrects them."""

import json
from typing import Any

import httpx
import pytest

from schemas.access import Role
from tests.ingest.conftest import BERLIN, Office
from tests.ingest.formats.making import docx, eml, paragraphs
from tests.keys import a_key

ROME = BERLIN | {"post": "rome", "reference": "ROM-1"}
IF_ANY = {"If-Match": "*"}


def of(office: Office, *posts: str) -> dict[str, str]:
    """The headers of a key that submits for these posts."""
    return a_key(office.registry, Role.SUBMIT, posts=frozenset(posts))


async def test_a_post_sends_in_its_own_name(office: Office) -> None:
    key = of(office, "berlin")
    assert (await office.client.post("/api/v1/notes", json=BERLIN, headers=key)).status_code == 202
    refused = await office.client.post("/api/v1/notes", json=ROME, headers=key)
    assert refused.status_code == 403
    assert "rome" in refused.json()["detail"]
    assert len(await office.logged()) == 1


async def test_a_key_stands_in_for_several_posts(office: Office) -> None:
    key = of(office, "berlin", "rome")
    for note in (BERLIN, ROME):
        assert (await office.client.post("/api/v1/notes", json=note, headers=key)).is_success


async def test_of_many_notes_those_of_other_posts_are_refused_one_by_one(office: Office) -> None:
    lines = b"\n".join(json.dumps(note).encode() for note in (BERLIN, ROME))
    answer = await office.send_raw(lines, "application/x-ndjson", **of(office, "berlin"))
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["status"] for line in found] == [202, 403]
    assert found[1]["outcome"] == "refused"


async def test_a_document_is_sent_in_the_name_of_its_post(office: Office) -> None:
    sent = {
        "files": {"file": ("note.txt", b"Objet\n\nLe texte.")},
        "data": {"metadata": json.dumps({"post": "rome", "date": "2026-03-04"})},
    }
    for posts, status in ((("berlin",), 403), (("rome",), 202)):
        answer = await office.client.post("/api/v1/notes", headers=of(office, *posts), **sent)
        assert answer.status_code == status


async def changes(office: Office, note: str, key: dict[str, str]) -> list[httpx.Response]:
    address = f"/api/v1/notes/{note}"
    changed: dict[str, Any] = BERLIN | {"body": "Autre texte."}
    return [
        await office.client.put(address, json=changed, headers=key | IF_ANY),
        await office.client.delete(address, headers=key | IF_ANY),
    ]


async def test_another_posts_note_is_as_if_it_were_not_there(office: Office) -> None:
    note = (await office.send()).json()["id"]
    foreign = await changes(office, note, of(office, "rome"))
    unknown = await changes(office, "0" * 8 + note[8:], of(office, "rome"))
    assert [answer.status_code for answer in foreign] == [404, 404]
    assert [answer.text for answer in foreign] == [answer.text for answer in unknown]
    assert len(await office.logged()) == 1
    own = await changes(office, note, of(office, "berlin"))
    assert [answer.status_code for answer in own] == [202, 202]


async def test_a_reader_sends_nothing(office: Office) -> None:
    key = a_key(office.registry, Role.READ)
    answer = await office.client.post("/api/v1/notes", json=BERLIN, headers=key)
    assert answer.status_code == 403


TAGS = {"themes": ["sante"], "countries": []}


@pytest.mark.parametrize(
    ("marks", "status"),
    [
        ({}, 202),
        ({"marking": "diffusion_restreinte"}, 404),
        (
            {"marked_spans": [{"field": "body", "start": 0, "end": 5, "mark": "special_france"}]},
            403,
        ),
    ],
)
async def test_a_reader_corrects_what_it_reads_whole(
    office: Office, marks: dict[str, Any], status: int
) -> None:
    sent = await office.send(**marks)
    assert sent.status_code == 202, sent.text
    answer = await office.client.post(
        f"/api/v1/notes/{sent.json()['id']}/corrections",
        json=TAGS,
        headers=a_key(office.registry, Role.READ),
    )
    assert answer.status_code == status


async def test_a_note_that_may_not_be_read_is_corrected_as_one_that_is_not_there(
    office: Office,
) -> None:
    note = (await office.send(marking="diffusion_restreinte")).json()["id"]
    key = a_key(office.registry, Role.READ)
    for body in (TAGS, {}, {"x": 1}):
        answers = [
            await office.client.post(f"/api/v1/notes/{each}/corrections", json=body, headers=key)
            for each in (note, "0" * 8 + note[8:])
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text == answers[1].text


async def test_the_original_is_for_who_may_read_the_whole_note(office: Office) -> None:
    metadata = {
        "post": "berlin",
        "date": "2026-03-04",
        "marked_spans": [{"field": "body", "start": 0, "end": 2, "mark": "special_france"}],
    }
    sent = await office.client.post(
        "/api/v1/notes",
        files={"file": ("note.txt", b"Objet\n\nLe texte.")},
        data={"metadata": json.dumps(metadata)},
    )
    assert sent.status_code == 202, sent.text
    address = f"/api/v1/notes/{sent.json()['id']}/original"
    cleared = a_key(office.registry, Role.READ, special_france=True)
    for key, status in (
        (a_key(office.registry, Role.READ), 404),
        (cleared, 200),
        (of(office, "rome"), 404),
        (of(office, "berlin"), 200),
    ):
        assert (await office.client.get(address, headers=key)).status_code == status


MAIL = {"post": "berlin", "date": "2026-03-04"}


async def send_mail(office: Office, files: dict[str, bytes]) -> tuple[str, list[dict[str, Any]]]:
    """The address of a mail's note, and the answers to it and to what was attached."""
    answer = await office.client.post(
        "/api/v1/notes",
        files={"file": ("courriel.eml", eml("Le texte du courriel.", files=files))},
        data={"metadata": json.dumps(MAIL)},
    )
    found = [json.loads(line) for line in answer.text.splitlines()]
    lines = found if "line" in found[0] else [{"status": answer.status_code} | found[0]]
    assert lines[0]["status"] == 202, lines
    return f"/api/v1/notes/{lines[0]['id']}", lines


async def statuses(office: Office, address: str, **rights: Any) -> int:
    key = a_key(office.registry, Role.READ, **rights)
    return (await office.client.get(f"{address}/original", headers=key)).status_code


CLEARED: dict[str, Any] = {"clearance": "diffusion_restreinte", "special_france": True}


async def test_a_mail_is_as_restricted_as_what_is_attached_to_it(office: Office) -> None:
    marked = b"DIFFUSION RESTREINTE\n\nLe texte joint."
    address, (mail, joined) = await send_mail(office, {"a.txt": marked})
    assert any("diffusion restreinte" in said for said in mail["warnings"])
    for note in (address, f"/api/v1/notes/{joined['id']}"):
        assert await statuses(office, note) == 404
        assert await statuses(office, note, **CLEARED) == 200
    assert {event.note.marking.value for event in await office.logged()} == {"diffusion_restreinte"}


@pytest.mark.parametrize(
    "changes",
    [
        [{"marking": "diffusion_restreinte"}],
        [{"marked_spans": [{"field": "body", "start": 0, "end": 5, "mark": "special_france"}]}],
        [None],
        # Open again, but without what was in the document.
        [{"marking": "diffusion_restreinte"}, {"body": "Autre texte."}],
    ],
)
async def test_a_mail_follows_the_restrictions_of_what_was_attached_to_it(
    office: Office, changes: list[dict[str, Any] | None]
) -> None:
    address, (_, joined) = await send_mail(office, {"BER-9.txt": b"Objet\n\nLe texte joint."})
    assert await statuses(office, address) == 200
    inner = f"/api/v1/notes/{joined['id']}"
    whole = {"subject": "Objet", "body": "Le texte joint.", "reference": "BER-9", **MAIL}
    for change in changes:
        if change is None:
            answer = await office.client.delete(inner, headers=IF_ANY)
        else:
            answer = await office.client.put(inner, json=whole | change, headers=IF_ANY)
        assert answer.status_code == 202, answer.text
    assert await statuses(office, address) == 404
    assert await statuses(office, address, **CLEARED) == (404 if changes == [None] else 200)
    own = of(office, "berlin")
    assert (await office.client.get(f"{address}/original", headers=own)).status_code == 200


async def test_an_original_that_nobody_could_look_into_is_for_who_may_see_every_mark(
    office: Office,
) -> None:
    address, (mail, *_) = await send_mail(office, {"ancien.doc": b"\xd0\xcf\x11\xe0" + bytes(99)})
    assert any("n’a pas pu être examiné" in said for said in mail["warnings"])
    assert await statuses(office, address) == 404
    assert await statuses(office, address, clearance="diffusion_restreinte") == 404
    assert await statuses(office, address, **CLEARED) == 200
    (event,) = await office.logged()
    assert event.note.marking.value == "non_protege"


ALONE = {"subject": "Objet", "reference": "BER-9", **MAIL}


@pytest.mark.parametrize("body", ["Le texte joint.", "Un texte plus récent, qui diffère."])
@pytest.mark.parametrize("before", [False, True])
async def test_a_mail_follows_a_note_that_was_sent_by_itself_too(
    office: Office, body: str, before: bool
) -> None:
    sent = await office.send(**ALONE | {"body": body})
    note = f"/api/v1/notes/{sent.json()['id']}"
    restricted = ALONE | {"body": body, "special_france": True}

    async def restrict() -> None:
        answer = await office.client.put(note, json=restricted, headers=IF_ANY)
        assert answer.status_code == 202, answer.text

    if before:
        await restrict()
    address, (_, joined) = await send_mail(office, {"BER-9.txt": b"Objet\r\n\r\nLe texte joint."})
    assert joined["status"] in (200, 409), "the same note, or another text under its reference"
    if not before:
        assert await statuses(office, address) == 200
        await restrict()
    assert await statuses(office, address) == 404
    assert await statuses(office, address, **CLEARED) == 200


async def test_a_document_follows_a_note_that_is_embedded_in_it(office: Office) -> None:
    inner = docx(paragraphs("Objet : Retraites", "Le texte joint."))
    outer = docx(
        paragraphs("Objet : Rapport", "Le rapport."), **{"word__embeddings__a.docx": inner}
    )
    ids = []
    for name, data in (("BER-9.docx", inner), ("BER-10.docx", outer)):
        answer = await office.client.post(
            "/api/v1/notes", files={"file": (name, data)}, data={"metadata": json.dumps(MAIL)}
        )
        assert answer.status_code == 202, answer.text
        ids.append(answer.json()["id"])
    address = f"/api/v1/notes/{ids[1]}"
    assert await statuses(office, address) == 200
    assert (
        await office.client.delete(f"/api/v1/notes/{ids[0]}", headers=IF_ANY)
    ).status_code == 202
    assert await statuses(office, address) == 404

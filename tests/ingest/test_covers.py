"""Cover mails through the service: what they bring is the note, their bytes are kept beside it."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from schemas.access import Role
from schemas.note import note_id
from services.runtime.backup import _named
from tests.ingest.conftest import Office
from tests.ingest.formats.making import docx, eml, paragraphs
from tests.keys import a_key

COVER = "Bonjour,\n\nVeuillez trouver ci-joint la note.\n\nCordialement,\nJeanne Martin"
IF_ANY = {"If-Match": "*"}
CLEARED: dict[str, Any] = {"clearance": "diffusion_restreinte", "special_france": True}


def note(reference: str, *more: str) -> bytes:
    """A note of Berlin as a word processor saves it."""
    return docx(
        paragraphs(f"Référence : {reference}", "Objet : Retraites", *more, "Le texte de la note.")
    )


async def send(
    office: Office, data: bytes, path: str = "/api/v1/notes", method: str = "POST", **headers: str
) -> httpx.Response:
    return await office.client.request(
        method,
        path,
        files={"file": ("envoi.eml", data)},
        data={"metadata": json.dumps({"post": "berlin"})},
        headers=headers,
    )


async def cover_of(office: Office, identity: str, **rights: Any) -> httpx.Response:
    key = a_key(office.registry, Role.READ, **rights)
    return await office.client.get(f"/api/v1/notes/{identity}/cover", headers=key)


def kept(office: Office) -> int:
    return sum(path.is_file() for path in (office.data / "originals").rglob("*"))


async def test_the_attachment_is_the_note_and_the_mail_its_cover(office: Office) -> None:
    mail = eml(COVER, files={"note.docx": note("BER-1")})
    answer = await send(office, mail)
    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    assert receipt["id"] == str(note_id("berlin", "BER-1"))
    assert receipt["read"]["cover"] == "envoi.eml"
    assert "date" in receipt["read"]["guessed"]
    assert any("« envoi.eml » ne fait qu’accompagner" in said for said in receipt["warnings"])
    assert any("(2026-03-04, d'après le courriel" in said for said in receipt["warnings"])
    (event,) = await office.logged()
    assert event.note.date.isoformat() == "2026-03-04"
    assert "ci-joint" not in event.note.body
    found = await cover_of(office, receipt["id"])
    assert found.content == mail
    assert found.headers["Content-Disposition"].startswith('attachment; filename="envoi.eml"')
    original = await office.client.get(f"/api/v1/notes/{receipt['id']}/original")
    assert original.content == note("BER-1")


async def test_a_cover_that_is_sent_again_is_kept_once(office: Office) -> None:
    mail = eml(COVER, files={"note.docx": note("BER-1")})
    assert [(await send(office, mail)).status_code for _ in range(2)] == [202, 200]
    assert kept(office) == 2, "the note's document and the mail"


async def test_a_note_without_a_cover_has_none(office: Office) -> None:
    receipt = (await send(office, eml("Le texte du courriel."))).json()
    assert (await cover_of(office, receipt["id"])).status_code == 404


async def test_two_notes_in_one_cover(office: Office) -> None:
    files = {"a.docx": note("BER-1"), "b.docx": note("BER-2")}
    answer = await send(office, eml(COVER, files=files))
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["status"] for line in lines] == [202, 202]
    assert [line["name"] for line in lines] == ["envoi.eml/a.docx", "envoi.eml/b.docx"]
    first, second = (line["id"] for line in lines)
    assert (await cover_of(office, first)).status_code == 200
    # The mail holds the second note too: who may not see that does not get the mail of the first.
    restricted = {
        "post": "berlin",
        "reference": "BER-2",
        "date": "2026-03-04",
        "subject": "Retraites",
        "body": "Le texte de la note.",
        "special_france": True,
    }
    changed = await office.client.put(f"/api/v1/notes/{second}", json=restricted, headers=IF_ANY)
    assert changed.status_code == 202, changed.text
    assert (await cover_of(office, first)).status_code == 404
    assert (await cover_of(office, first, **CLEARED)).status_code == 200
    reader = a_key(office.registry, Role.READ)
    own = await office.client.get(f"/api/v1/notes/{first}/original", headers=reader)
    assert own.status_code == 200


@pytest.mark.parametrize(
    ("text", "files", "least"),
    [
        (COVER, {"ancien.doc": b"\xd0\xcf\x11\xe0" + bytes(99)}, CLEARED),
        (COVER, {"chiffres.csv": b"DIFFUSION RESTREINTE\n1;2\n"}, CLEARED),
        (COVER, {"b.docx": note("BER-2", "SPÉCIAL FRANCE")}, {"special_france": True}),
    ],
)
async def test_a_cover_asks_for_all_that_lies_in_it(
    office: Office, text: str, files: dict[str, bytes], least: dict[str, Any]
) -> None:
    await send(office, eml(text, files={"a.docx": note("BER-1")} | files))
    first = str(note_id("berlin", "BER-1"))
    assert (await cover_of(office, first)).status_code == 404
    assert (await cover_of(office, first, **least)).status_code == 200


async def test_a_note_is_rectified_by_a_cover_mail(office: Office) -> None:
    sent = (await send(office, eml(COVER, files={"note.docx": note("BER-1")}))).json()
    mail = eml(COVER, files={"note.docx": note("BER-1", "Un alinéa de plus.")})
    answer = await send(office, mail, f"/api/v1/notes/{sent['id']}", "PUT", **IF_ANY)
    assert answer.status_code == 202, answer.text
    assert (await cover_of(office, sent["id"])).content == mail


async def test_a_forwarded_note_says_so(office: Office) -> None:
    text = (
        "Pour information.\n\n-----Message d'origine-----\nDe : Paul\nEnvoyé : lundi 2 mars 2026\n"
        "Objet : Retraites\n\nRéférence : BER-7\n\nLe texte de la note."
    )
    receipt = (await send(office, eml(text))).json()
    assert receipt["id"] == str(note_id("berlin", "BER-7"))
    assert receipt["read"]["forwarded"] is True
    assert any("ne fait que transférer" in said for said in receipt["warnings"])


async def test_backups_and_expunging_know_covers(office: Office, tmp_path: Path) -> None:
    await send(office, eml(COVER, files={"note.docx": note("BER-1")}))
    addresses = {path.parent.name + path.name for path in originals_of(office)}
    assert set(_named(office.data / "registry.sqlite3")) == addresses
    assert set(office.registry.own_originals(note_id("berlin", "BER-1"))) == addresses


def originals_of(office: Office) -> list[Path]:
    return [path for path in (office.data / "originals").rglob("*") if path.is_file()]


async def test_a_cover_of_an_unknown_note_is_not_there(office: Office) -> None:
    assert (await cover_of(office, str(UUID(int=1)))).status_code == 404

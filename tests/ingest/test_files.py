"""`POST /api/v1/notes` with files: what is read, what is taken, what is kept."""

import io
import json
import sqlite3
import zipfile
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from schemas.note import note_id
from services.ingest.original_routes import disposition
from tests.ingest.conftest import Office, open_office
from tests.ingest.test_post import fields, problem

BODY = "La commission allemande propose de porter l'âge de départ à 68 ans d'ici à 2040."


def html(reference: str | None = "BER-2026-0201", day: str | None = "5 mars 2026") -> bytes:
    """A page as a counsellor's word processor saves it, with a header or without."""
    head = [f"Référence : {reference}"] if reference else []
    head += [f"Berlin, le {day}"] if day else []
    lines = [*head, "Objet : Âge de la retraite", BODY]
    text = "".join(f"<p>{line}</p>" for line in lines)
    return f"<html><head><meta charset='utf-8'></head><body>{text}</body></html>".encode()


def archive(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return written.getvalue()


async def send(
    office: Office, name: str, content: bytes, metadata: Any = None, **headers: str
) -> httpx.Response:
    """The answer to a file with these metadata."""
    parts: list[tuple[str, Any]] = [("file", (name, content))]
    if metadata is not None:
        said = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
        parts.append(("metadata", (None, said, "application/json")))
    return await office.client.post("/api/v1/notes", files=parts, headers=headers)


def kept(office: Office) -> list[Path]:
    return [path for path in (office.data / "originals").rglob("*") if path.is_file()]


async def test_a_counsellor_s_document_is_read_received_and_served_back(office: Office) -> None:
    page = html()
    answer = await send(office, "Âge de la retraite.html", page, {"post": "berlin"})
    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    assert receipt["id"] == str(note_id("berlin", "BER-2026-0201"))
    assert receipt["read"]["subject"] == "Âge de la retraite"
    assert receipt["read"]["date"] == "2026-03-05"
    assert receipt["read"]["reference"] == "BER-2026-0201"
    (event,) = await office.logged()
    assert event.note.date.isoformat() == "2026-03-05"
    assert BODY in event.note.body

    original = await office.client.get(f"/api/v1/notes/{receipt['id']}/original")
    assert original.content == page
    assert original.headers["Content-Type"] == "text/html"
    assert original.headers["X-Content-Type-Options"] == "nosniff"
    assert original.headers["Content-Disposition"].startswith("attachment;")
    assert "%C3%82ge%20de%20la%20retraite.html" in original.headers["Content-Disposition"]
    same = await office.client.get(
        f"/api/v1/notes/{receipt['id']}/original",
        headers={"If-None-Match": original.headers["ETag"]},
    )
    assert same.status_code == 304


async def test_the_same_document_again_is_a_duplicate_and_kept_once(office: Office) -> None:
    first = await send(office, "note.html", html(), {"post": "berlin"})
    again = await send(office, "note.html", html(), {"post": "berlin"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["outcome"] == "duplicate"
    assert len(kept(office)) == 1
    assert len(await office.logged()) == 1


async def test_a_document_whose_answer_was_lost_gets_its_original_when_sent_again(
    office: Office,
) -> None:
    answer = await send(office, "note.html", html(), {"post": "berlin"})
    note = UUID(answer.json()["id"])
    for path in kept(office):
        path.unlink()
    # As after a crash between the log and the store: the note is there, its original is not.
    with sqlite3.connect(office.data / "registry.sqlite3") as registry:
        registry.execute("DELETE FROM originals")
    assert (await office.client.get(f"/api/v1/notes/{note}/original")).status_code == 404
    assert (await send(office, "note.html", html(), {"post": "berlin"})).status_code == 200
    assert (await office.client.get(f"/api/v1/notes/{note}/original")).content == html()


async def test_the_metadata_win_over_the_document(office: Office) -> None:
    said = {"post": "madrid", "reference": "MAD-7", "date": "2026-01-02", "subject": "Autre objet"}
    answer = await send(office, "note.html", html(), said | {"addressees": ["DSS"]})
    assert answer.status_code == 202, answer.text
    (event,) = await office.logged()
    note = event.note
    assert (note.post, note.reference, note.subject) == ("madrid", "MAD-7", "Autre objet")
    assert (note.date.isoformat(), note.addressees) == ("2026-01-02", ("DSS",))
    assert answer.json()["read"]["reference"] == "BER-2026-0201"


async def test_a_guessed_date_gives_way_to_the_document_s_own(office: Office) -> None:
    guess = {"post": "berlin", "date": "2020-01-01"}
    with_date = await send(office, "a.html", html(), guess, **{"Valise-Defaulted": "date"})
    without = html("BER-2026-0202", day=None)
    guessed = await send(office, "b.html", without, guess, **{"Valise-Defaulted": "date"})
    assert (with_date.status_code, guessed.status_code) == (202, 202)
    dates = {event.note.reference: event.note.date.isoformat() for event in await office.logged()}
    assert dates == {"BER-2026-0201": "2026-03-05", "BER-2026-0202": "2020-01-01"}
    other_day = await send(
        office, "b.html", without, guess | {"date": "2021-01-01"}, **{"Valise-Defaulted": "date"}
    )
    assert other_day.json()["outcome"] == "duplicate"


async def test_without_a_reference_the_file_s_name_is_one(office: Office) -> None:
    answer = await send(office, "BER-2026-0300.html", html(None), {"post": "berlin"})
    assert answer.json()["id"] == str(note_id("berlin", "BER-2026-0300"))


async def test_a_date_and_a_post_are_asked_for_and_nothing_is_kept(office: Office) -> None:
    lost = html(day=None).replace(b"Berlin", b"")
    assert set(fields(problem(await send(office, "note.html", lost), 422))) == {"post", "date"}
    assert kept(office) == []
    assert await office.logged() == []


async def test_other_content_under_the_reference_is_a_conflict_and_leaves_no_file(
    office: Office,
) -> None:
    await send(office, "note.html", html(), {"post": "berlin"})
    other = html().replace(b"2040", b"2050")
    found = problem(await send(office, "note.html", other, {"post": "berlin"}), 409)
    assert fields(found) == ["body"]
    assert len(kept(office)) == 1


async def test_a_mark_in_a_document_wins_over_what_its_sender_says(office: Office) -> None:
    page = html().replace(b"<body>", b"<body><header>Diffusion restreinte</header>")
    answer = await send(office, "note.html", page, {"post": "berlin", "marking": "Non protégé"})
    assert answer.status_code == 202, answer.text
    (warning,) = answer.json()["warnings"]
    assert "diffusion restreinte" in warning
    (event,) = await office.logged()
    assert event.note.marking == "diffusion_restreinte"


async def test_a_stricter_mark_of_the_sender_stays(office: Office) -> None:
    said = {"post": "berlin", "marking": "DR", "special_france": True}
    assert (await send(office, "note.html", html(), said)).json()["warnings"] == []
    (event,) = await office.logged()
    assert (event.note.marking, event.note.special_france) == ("diffusion_restreinte", True)


async def test_an_archive_is_answered_document_by_document(office: Office) -> None:
    packed = archive(
        {
            "un.html": html("BER-1"),
            "deux.html": html("BER-2", day=None),
            "dossier/sans.html": html(None),
            "autre/sans.html": html(None),
            "programme.exe": b"MZ" + bytes(100),
        }
    )
    answer = await send(office, "envoi.zip", packed, {"post": "berlin"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["line"] for line in lines] == [1, 2, 3, 4, 5]
    got = {line["name"]: (line["status"], line["outcome"]) for line in lines}
    assert got["envoi.zip/un.html"] == (202, "accepted")
    assert got["envoi.zip/deux.html"] == (422, "refused")
    twins = {got["envoi.zip/dossier/sans.html"], got["envoi.zip/autre/sans.html"]}
    assert twins == {(202, "accepted"), (422, "refused")}
    assert got["envoi.zip/programme.exe"] == (415, "refused")
    taken = next(line for line in lines if line["name"] == "envoi.zip/un.html")
    assert taken["read"]["subject"] == "Âge de la retraite"
    original = await office.client.get(f"/api/v1/notes/{taken['id']}/original")
    assert original.content == html("BER-1")
    assert len(kept(office)) == 2


async def test_a_mail_brings_its_attachments_as_notes(office: Office) -> None:
    mail = EmailMessage()
    mail["Subject"] = "Deux notes de Berlin"
    mail["Date"] = "Thu, 05 Mar 2026 10:00:00 +0100"
    mail.set_content("Bonjour,\n\nVoici les deux notes de la semaine.\n")
    for reference in ("BER-11", "BER-12"):
        page = html(reference)
        mail.add_attachment(page, maintype="text", subtype="html", filename=f"{reference}.html")
    answer = await send(
        office,
        "envoi.eml",
        bytes(mail),
        {"post": "berlin", "date": "2026-03-05"},
        **{"Valise-Defaulted": "date"},
    )
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["outcome"] for line in lines] == ["accepted"] * len(lines), answer.text
    references = {event.note.reference for event in await office.logged()}
    assert {"BER-11", "BER-12"} <= references


async def test_what_holds_for_one_document_is_not_said_of_several(office: Office) -> None:
    packed = archive({"un.html": html("BER-1"), "deux.html": html("BER-2")})
    answer = await send(office, "envoi.zip", packed, {"post": "berlin", "reference": "BER-9"})
    assert fields(problem(answer, 422)) == ["reference"]
    assert await office.logged() == []


@pytest.mark.parametrize(
    ("metadata", "status"),
    [(b"{", 400), (b"[]", 422), (b'{"post": "atlantide"}', 422), (b'{"colour": "red"}', 422)],
)
async def test_metadata_that_are_none_are_refused(
    office: Office, metadata: bytes, status: int
) -> None:
    problem(await send(office, "note.html", html(), metadata), status)
    assert kept(office) == []


async def test_a_form_that_is_none_is_refused_in_french(office: Office) -> None:
    kind = "multipart/form-data; boundary=x"
    problem(await office.send_raw(b"pas un formulaire", kind), 400)
    problem(await office.send_raw(b"{}", "multipart/form-data"), 400)
    none = await office.client.post("/api/v1/notes", files={"autre": ("a.html", html())})
    assert fields(problem(none, 422)) == ["file"]
    two = await office.client.post(
        "/api/v1/notes", files=[("file", ("a.html", html())), ("file", ("b.html", html()))]
    )
    problem(two, 422)


async def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async with open_office(tmp_path, max_file_bytes=10_000) as office:
        problem(await send(office, "note.html", html() + b" " * 11_000, {"post": "berlin"}), 413)
        problem(await send(office, "note.html", html() + b" " * 500_000, {"post": "berlin"}), 413)
        assert (await send(office, "note.html", html(), {"post": "berlin"})).status_code == 202


async def test_a_deployment_without_a_store_says_that_it_keeps_no_original(tmp_path: Path) -> None:
    engines = {"kafka": "kafka:9092", "elasticsearch": "https://e:9200", "database": "sqlite:///x"}
    async with open_office(tmp_path, **engines) as office:
        answer = await send(office, "note.html", html(), {"post": "berlin"})
        assert answer.status_code == 202
        assert "n'est pas conservé" in answer.json()["warnings"][0]
        note = answer.json()["id"]
        problem(await office.client.get(f"/api/v1/notes/{note}/original"), 404)
    assert not (tmp_path / "originals").exists()


async def test_while_the_registry_is_away_a_document_is_asked_for_again(office: Office) -> None:
    with office.away("registry"):
        assert (await send(office, "note.html", html(), {"post": "berlin"})).status_code == 503
    assert (await send(office, "note.html", html(), {"post": "berlin"})).status_code in (200, 202)
    assert len(kept(office)) == 1


async def test_a_note_sent_as_text_has_no_original(office: Office) -> None:
    note = (await office.send()).json()["id"]
    for address in (note, "pas-un-identifiant", "0" * 32):
        problem(await office.client.get(f"/api/v1/notes/{address}/original"), 404)


@pytest.mark.parametrize(
    "name", ['a"b\r\nX-Y: z.html', "été.odt", "../../etc/passwd", "\u202e.pdf"]
)
def test_a_file_s_name_cannot_break_out_of_its_header(name: str) -> None:
    said = disposition(name)
    assert said.isascii()
    assert "\r" not in said
    assert "\n" not in said
    assert said.count('"') == 2

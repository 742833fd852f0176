"""Passages and marks within a text, by every door: what submission does and a preview shows."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.note import Note
from services.classify.preview import here
from tests.classify.test_preview import app
from tests.ingest.conftest import BERLIN, Office
from tests.ingest.formats.making import W, docx, eml, odt, paragraphs, pdf, zipped
from tests.ingest.test_files import send
from tests.keys import HEADERS

OPEN = "La commission a remis son rapport, que le Parlement débattra cet été."
HIDDEN = "Le ministre cède sur la zythomanie."
METADATA = {"post": "berlin", "date": "2026-03-04"}
PARAGRAPHS = ("Note de Berlin", OPEN, f"[SF] {HIDDEN}", OPEN)


def header(text: str) -> str:
    return f'<w:hdr xmlns:w="{W}">{paragraphs(text)}</w:hdr>'


def page(*texts: str, title: str = "Note", outside: str = "") -> bytes:
    inside = "".join(f"<p>{each}</p>" for each in texts).replace("é", "&eacute;")
    head = f"<head><title>{title}</title></head>"
    return f"<html>{head}<body><main>{inside}</main>{outside}</body></html>".encode()


FILES = {
    "a.txt": "\n\n".join(PARAGRAPHS).encode(),
    "a.docx": docx(paragraphs(*PARAGRAPHS)),
    "a.odt": odt("".join(f"<text:p>{each}</text:p>" for each in PARAGRAPHS)),
    "a.html": page(*PARAGRAPHS),
    "a.eml": eml("\n\n".join(PARAGRAPHS)),
    "a.pdf": pdf(["Note de Berlin", "", OPEN, "", f"[SF] {HIDDEN}", "", OPEN]),
}


def name_of(place: str) -> str:
    """The name of the file that has its mark there."""
    return f"a.{place.partition(',')[0]}"


def words(note: Note) -> list[tuple[str, str]]:
    texts = {"subject": note.subject, "body": note.body}
    return [(texts[each.field][each.start : each.end], each.mark) for each in note.marked_spans]


async def last(office: Office) -> Note:
    return (await office.logged())[-1].note


@pytest.mark.parametrize("name", FILES)
async def test_a_marked_paragraph_of_a_document_is_a_passage(office: Office, name: str) -> None:
    answer = await send(office, name, FILES[name], METADATA)
    assert answer.status_code == 202, answer.text
    note = await last(office)
    assert words(note) == [(f"[SF] {HIDDEN}", "special_france")]
    assert (note.marking, note.special_france) == ("non_protege", False)
    assert any("[SF]" in warning for warning in answer.json()["warnings"])


RESTRICTED = {
    "docx, page header": docx(paragraphs("Titre", OPEN), word__header1=header("DR-SF")),
    "docx, page footer": docx(paragraphs("Titre", OPEN), word__footer1=header("Note DR/SF")),
    "docx, title": docx(paragraphs("Négociation (DR-SF)", OPEN)),
    "docx, objet": docx(paragraphs("Objet : Négociation [DR] [SF]", OPEN)),
    "docx, first line": docx(paragraphs("DR SF", "Négociation", OPEN)),
    "docx, sentence": docx(paragraphs("Titre", OPEN, "Cette note est classée DR-SF.", OPEN)),
    "html, title": page(OPEN, title="DR-SF – Négociation"),
    "html, footer": page(OPEN, outside="<footer>DR/SF</footer>"),
    "txt, first line": f"DR-SF\n\nNégociation\n\n{OPEN}".encode(),
    "txt, title": f"Négociation (DR/SF)\n\n{OPEN}".encode(),
    "txt, objet": f"Objet : Négociation – DR SF\n\n{OPEN}".encode(),
    "pdf, margin": pdf([OPEN, "", OPEN], header="DR-SF"),
    "eml, subject": eml(OPEN).replace(b"Subject: TR:", b"Subject: TR: [DR-SF]"),
    "eml, two marks in its subject": eml(OPEN).replace(
        b"Subject: TR:", b"Subject: DIFFUSION RESTREINTE - SPECIAL FRANCE - mission"
    ),
    "eml, sentence": eml(f"{OPEN}\n\nCe message est DR-SF.\n"),
}


@pytest.mark.parametrize("place", RESTRICTED)
async def test_a_mark_on_a_document_restricts_the_note(office: Office, place: str) -> None:
    answer = await send(office, name_of(place), RESTRICTED[place], METADATA)
    assert answer.status_code == 202, answer.text
    note = await last(office)
    assert (note.marking, note.special_france) == ("diffusion_restreinte", True)
    assert answer.json()["warnings"]


@pytest.mark.parametrize("name", ["a.docx", "a.txt", "a.eml"])
async def test_a_classified_paragraph_is_refused(office: Office, name: str) -> None:
    texts = [each.replace("[SF]", "3. [SECRET]") for each in PARAGRAPHS]
    made = {
        "a.docx": docx(paragraphs(*texts)),
        "a.txt": "\n\n".join(texts).encode(),
        "a.eml": eml("Voir.", files={"b.docx": docx(paragraphs(*texts))}),
    }
    answer = await send(office, name, made[name], METADATA)
    assert "document-classifie" in answer.text
    assert await office.logged() == []


async def test_a_mail_bears_the_marks_of_the_passages_in_its_attachments(office: Office) -> None:
    mail = eml(
        "Le ministre a reculé hier.\n\nVoir la note jointe.", files={"suite.docx": FILES["a.docx"]}
    )
    await send(office, "a.eml", mail, METADATA)
    cover, note = (event.note for event in await office.logged())
    assert cover.special_france, "its original holds the passage"
    assert not note.special_france
    assert words(note) == [(f"[SF] {HIDDEN}", "special_france")]


async def test_json_and_ndjson_and_archives_give_the_same_passage(office: Office) -> None:
    body = "\n\n".join(PARAGRAPHS)
    await office.send(body=body)
    await office.send_lines(json.dumps(BERLIN | {"reference": "B-2", "body": body}).encode())
    await send(office, "a.zip", zipped({"B-3.docx": FILES["a.docx"]}), METADATA)
    for event in await office.logged():
        assert words(event.note) == [(f"[SF] {HIDDEN}", "special_france")]


async def test_the_same_again_is_a_duplicate_as_it_was_sent_and_as_it_is_read(
    office: Office,
) -> None:
    body = "\r\n\r\n".join(PARAGRAPHS)
    first = await office.send(body=body)
    assert (await office.send(body=body)).json()["outcome"] == "duplicate"
    shown = (await last(office)).model_dump(mode="json")
    assert (await office.send(**shown)).json()["outcome"] == "duplicate"
    address = f"/api/v1/notes/{first.json()['id']}"
    again = await office.client.put(address, json=shown, headers={"If-Match": "*"})
    assert again.json()["outcome"] == "duplicate"


async def rectified(office: Office, note: str, **fields: Any) -> Note:
    answer = await office.client.put(
        f"/api/v1/notes/{note}", json=BERLIN | fields, headers={"If-Match": "*"}
    )
    assert answer.status_code == 202, answer.text
    return await last(office)


async def test_a_rectified_text_is_looked_through(office: Office) -> None:
    note = (await office.send(body=OPEN)).json()["id"]
    body = "\n\n".join(PARAGRAPHS)
    weak = {"marking": "non_protege", "special_france": False, "marked_spans": []}
    with_passage = await rectified(office, note, body=body, **weak)
    assert words(with_passage) == [(f"[SF] {HIDDEN}", "special_france")]
    longer = await rectified(office, note, body=f"{body}\n\n{OPEN}")
    assert words(longer) == words(with_passage), "found again by its words"
    assert not longer.special_france
    without = await rectified(office, note, body=OPEN)
    assert without.special_france, "of the passage nothing is said"


async def test_a_doubtful_mark_is_undone_by_who_states_all_marks_of_the_same_text(
    office: Office,
) -> None:
    fields = {"subject": "Négociation (DR)", "body": f"{OPEN}\n\n[SF] {HIDDEN}\n\n{OPEN}"}
    weak = {"marking": "non_protege", "special_france": False, "marked_spans": []}
    note = (await office.send(**fields, **weak)).json()["id"]
    assert (await last(office)).marking == "diffusion_restreinte", "nobody could know of it"
    undone = await rectified(office, note, **fields, **weak)
    assert undone.marking == "non_protege"
    assert words(undone) == [(f"[SF] {HIDDEN}", "special_france")], "this one is certain"
    other = await rectified(office, note, **fields | {"body": OPEN}, **weak)
    assert other.marking == "diffusion_restreinte", "another text is another question"


async def test_a_passage_is_marked_by_its_words(office: Office) -> None:
    marked = [{"mark": "DR", "words": "propose de porter l'âge"}]
    answer = await office.send(marked_words=marked)
    assert answer.status_code == 202, answer.text
    assert words(await last(office)) == [("propose de porter l'âge", "diffusion_restreinte")]
    document = docx(paragraphs("Titre", OPEN))
    sent = METADATA | {"marked_words": [{"mark": "rouge", "words": "Parlement"}]}
    answer = await send(office, "b.docx", document, sent)
    assert words(await last(office)) == [("Parlement", "rouge")]
    assert any("« rouge »" in warning for warning in answer.json()["warnings"])


async def test_words_that_are_not_there_once_leave_nothing(office: Office) -> None:
    answer = await office.send(marked_words=[{"mark": "SF", "words": "absent"}])
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "marked_words.0"
    assert "nulle part" in error["detail"]
    assert await office.logged() == []


@pytest.fixture
async def previews(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    data = tmp_path / "previews"
    data.mkdir()
    transport = httpx.ASGITransport(app(here, data))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://valise", headers=HEADERS
    ) as found:
        yield found


TEXTS = [
    {"body": "\n\n".join(PARAGRAPHS)},
    {"subject": "Négociation (DR)"},
    {"body": f"DR-SF\n\n{OPEN}"},
    {"body": f"{OPEN}\n\nCe document est à diffusion restreinte."},
    {"body": f"{OPEN}\n\nDébut SF\n\n{OPEN}"},
    {"body": f"{OPEN}\n\n{OPEN}\n\nFin SF"},
    {"body": f"{OPEN}\n\n2. [SECRET] {OPEN}"},
    {"body": OPEN, "marking": "DR", "special_france": True},
    {"body": OPEN, "marking": "rouge"},
    {"body": OPEN, "marked_words": [{"mark": "SF", "words": "son rapport"}]},
    {"body": OPEN, "marked_words": [{"mark": "SF", "words": "absent"}]},
    {"body": OPEN, "marked_spans": [{"field": "body", "start": 0, "end": 5, "mark": "DR"}]},
    {"body": OPEN},
]


def shown(answer: httpx.Response) -> dict[str, Any]:
    found = answer.json()
    return {name: found.get(name) for name in ("marking", "special_france", "marked_spans")}


@pytest.mark.parametrize("fields", TEXTS)
async def test_a_preview_shows_what_submission_does(
    office: Office, previews: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    before = await previews.post("/api/v1/preview", json=BERLIN | fields)
    sent = await office.send(**fields)
    if sent.status_code != 202:
        assert (before.status_code, before.json().get("type")) == (422, sent.json().get("type"))
        assert before.json().get("errors") == sent.json().get("errors")
        return
    note = (await last(office)).model_dump(mode="json")
    assert shown(before) == {name: note[name] for name in shown(before)}
    assert before.json()["warnings"] == sent.json()["warnings"]


@pytest.mark.parametrize(
    ("name", "data"),
    [*FILES.items(), *((name_of(place), data) for place, data in RESTRICTED.items())],
)
async def test_a_preview_of_a_document_shows_what_submission_does(
    office: Office, previews: httpx.AsyncClient, name: str, data: bytes
) -> None:
    before = await previews.post(
        "/api/v1/preview",
        files={"file": (name, data)},
        data={"metadata": json.dumps(METADATA)},
    )
    assert before.status_code == 200, before.text
    await send(office, name, data, METADATA)
    note = (await last(office)).model_dump(mode="json")
    assert shown(before) == {each: note[each] for each in shown(before)}


async def test_a_preview_of_a_document_that_would_be_refused_shows_its_marks(
    previews: httpx.AsyncClient,
) -> None:
    before = await previews.post("/api/v1/preview", files={"file": ("a.docx", FILES["a.docx"])})
    assert before.json()["problem"]["status"] == 422
    assert [each["mark"] for each in before.json()["marked_spans"]] == ["special_france"]

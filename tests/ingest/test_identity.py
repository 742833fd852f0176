"""What a note is known by at the door: guesses said, references in one form, no empty notes."""

import json
from typing import Any

import httpx
import pytest

from schemas.note import Note, note_id
from schemas.references import plain_reference, with_plain_references
from tests.ingest.conftest import BERLIN, Office
from tests.ingest.formats.making import docx, eml, odt, paragraphs
from tests.ingest.test_post import fields, problem

BODY = "La commission allemande propose de porter l'âge de départ à 68 ans d'ici à 2040."
TITLED = ["Berlin, le 4 mars 2026", "Référence : BER-2026-0300", "Objet : Retraites"]


def documents(*lines: str) -> dict[str, bytes]:
    """These lines as documents of several formats."""
    return {
        "note.txt": "\n".join(lines).encode(),
        "note.docx": docx(paragraphs(*lines)),
        "note.odt": odt("".join(f"<text:p>{line}</text:p>" for line in lines)),
        "note.html": f"<body>{''.join(f'<p>{line}</p>' for line in lines)}</body>".encode(),
        "note.eml": eml("\n".join(lines)),
    }


async def send(
    office: Office, name: str, data: bytes, *guessed: str, **said: str
) -> httpx.Response:
    """The answer to a document with these metadata, some of them guessed."""
    metadata = json.dumps({"post": "berlin"} | said)
    headers = {"Valise-Defaulted": ", ".join(guessed)} if guessed else {}
    return await office.client.post(
        "/api/v1/notes",
        files={"file": (name, data)},
        data={"metadata": metadata},
        headers=headers,
    )


@pytest.mark.parametrize("name", documents())
async def test_what_is_guessed_is_said(office: Office, name: str) -> None:
    bare = documents("Les retraites en Allemagne", BODY)[name]
    answer = await send(office, name, bare, "date", date="2026-05-06")
    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    guessed = {"reference", "date", "genre", "language"} <= set(receipt["read"]["guessed"])
    assert guessed, receipt["read"]
    (said,) = [each for each in receipt["warnings"] if each.startswith("déduit, à vérifier")]
    assert "la référence (note, nom du fichier)" in said
    assert ("2026-03-04, celle du courriel" if "eml" in name else "2026-05-06") in said
    (event,) = await office.logged()
    assert {"reference", "date"} <= set(event.guessed)


@pytest.mark.parametrize("name", documents())
async def test_what_is_stated_is_no_guess(office: Office, name: str) -> None:
    stated = documents(*TITLED, "Note simple", BODY)[name]
    receipt = (await send(office, name, stated, "date", date="2026-05-06")).json()
    assert set(receipt["read"]["guessed"]) <= {"language"}
    assert not any("déduit" in each for each in receipt["warnings"])
    (event,) = await office.logged()
    assert event.guessed == ()
    given = documents("Les retraites", BODY)["note.docx"]
    said = {"date": "2026-01-01", "reference": "BER-9", "subject": "Retraites", "genre": "note"}
    receipt = (await send(office, "autre.docx", given, **said)).json()
    assert receipt["read"]["guessed"] == ["language"]
    assert receipt["warnings"] == []


async def test_a_guessed_date_of_a_note_as_json_is_said_too(office: Office) -> None:
    answer = await office.client.post(
        "/api/v1/notes", json=BERLIN, headers={"Valise-Defaulted": "date"}
    )
    assert any("la date (" in each for each in answer.json()["warnings"])
    (event,) = await office.logged()
    assert event.guessed == ("date",)


@pytest.mark.parametrize("written", ["31 février 2026", "31/04/2026", "30 février 2026"])
async def test_a_date_that_no_calendar_has_is_said(office: Office, written: str) -> None:
    lines = [f"Berlin, le {written}", "Objet : Retraites", BODY]
    for number, (name, data) in enumerate(documents(*lines).items()):
        answer = await send(office, f"{number}-{name}", data, "date", date="2026-05-06")
        said = " ".join(answer.json()["warnings"])
        assert f"« {written} »" in said, (name, said)
        assert "n'existe pas" in said


OTHERS = {
    "Ambassade de France en Italie": "Ambassade de France en Italie",
    "Rome, le 4 mars 2026": "Ambassade de France en Italie",
    "Poste : Madrid": "Ambassade de France en Espagne",
    "Ambassade de France en Autriche": "Ambassade de France en Autriche",
}


@pytest.mark.parametrize("line", OTHERS)
async def test_another_post_s_letterhead_is_said_and_the_note_taken(
    office: Office, line: str
) -> None:
    data = documents(line, "Référence : BER-7", "Objet : Retraites", BODY)
    for name in ("note.docx", "note.txt"):
        answer = await send(office, name, data[name], date="2026-05-06", reference=f"BER-{name}")
        assert answer.status_code == 202, answer.text
        assert any(OTHERS[line] in each and "Berlin" in each for each in answer.json()["warnings"])
    whole = BERLIN | {"reference": "BER-8", "body": f"{line}\n\n{BODY}"}
    assert any(OTHERS[line] in each for each in (await office.send(**whole)).json()["warnings"])
    assert {event.note.post for event in await office.logged()} == {"berlin"}


@pytest.mark.parametrize(
    "line",
    [
        "Ambassade de France en Allemagne",
        "Berlin, le 4 mars 2026",
        "L'ambassade de France en Italie a transmis une étude.",
        "Rome, le gouvernement et les partenaires sociaux",
        "À : Ambassade de France en Italie",
        f"{BODY}\n\nRome, le 4 mars 2026",
    ],
)
async def test_its_own_letterhead_and_a_post_in_the_text_are_nothing_to_say(
    office: Office, line: str
) -> None:
    answer = await office.send(body=f"{line}\n\n{BODY}")
    assert not any("autre poste" in each for each in answer.json()["warnings"]), answer.text


async def test_the_embassy_of_a_country_that_the_post_covers_is_its_own(office: Office) -> None:
    body = f"Ambassade de France en Slovénie\n\n{BODY}"
    answer = await office.send(post="rome", body=body)
    assert not any("autre poste" in each for each in answer.json()["warnings"])


@pytest.mark.parametrize(
    "lines",
    [
        TITLED,
        ["Ambassade de France en Allemagne", "Note diplomatique n° BER-2026-1", *TITLED[:1]],
        ["Les retraites", "Date : 4 mars 2026", "Référence : BER-2026-2"],
    ],
)
async def test_header_lines_alone_are_refused(office: Office, lines: list[str]) -> None:
    for name, data in documents(*lines).items():
        answer = await send(office, name, data, date="2026-03-04")
        assert fields(problem(answer, 422)) == ["body"], name
        assert "pas de corps" in answer.text
    answer = await office.send(subject="Les retraites", body="\n".join(lines))
    assert fields(problem(answer, 422)) == ["body"]
    assert await office.logged() == []


DASHES = [
    "MAD\u20112026\u20114",
    "MAD\u20102026\u20134",
    "MAD\u22122026\u20154",
    "MAD\u00ad2026\u00ad4",
]


@pytest.mark.parametrize("reference", DASHES)
async def test_a_reference_is_one_whatever_its_dashes(office: Office, reference: str) -> None:
    first = await office.send(reference="MAD-2026-4", cites=["BER-1"])
    again = await office.send(reference=reference, cites=["BER\u20111"])
    assert (first.json()["id"], again.json()["outcome"]) == (again.json()["id"], "duplicate")
    assert first.json()["id"] == str(note_id("berlin", "MAD-2026-4"))
    lines = ["Berlin, le 4 mars 2026", f"Référence : {reference}", "Objet : Retraites", BODY]
    answer = await send(office, "note.txt", documents(*lines)["note.txt"])
    assert answer.status_code == 409


@pytest.mark.parametrize(
    "reference", ["MAD-2026-4", "BRX/2026/12", "N° 4 - bis", "TD_2026.4", "é à 4"]
)
def test_an_ordinary_reference_stays_as_it_is(reference: str) -> None:
    assert plain_reference(reference) == reference


def test_nothing_but_references_changes() -> None:
    said: dict[str, Any] = {
        **{
            "post": "berlin",
            "reference": "BER\u20111",
            "subject": "A \u2013 B",
            "body": "C \u2011 D",
        },
        **{"date": "2026-03-04", "cites": ["BER\u20112"], "replies_to": "DSS\u20113"},
    }
    note = Note.model_validate_json(json.dumps(said))
    plain = with_plain_references(note)
    assert (plain.reference, plain.cites, plain.replies_to) == ("BER-1", ("BER-2",), "DSS-3")
    assert (plain.subject, plain.body) == (note.subject, note.body)
    assert with_plain_references(plain) is plain


async def test_a_guess_is_no_guess_once_it_was_stated(office: Office) -> None:
    data = documents("Référence : BER-7", "Les retraites", BODY)["note.docx"]
    first = await send(office, "n.docx", data, "date", date="2026-05-06")
    address = f"/api/v1/notes/{first.json()['id']}"

    async def rectify(**said: str) -> httpx.Response:
        return await office.client.put(
            address,
            files={"file": ("n.docx", data)},
            data={"metadata": json.dumps(said)} if said else {},
            headers={"If-Match": "*"},
        )

    same = await rectify()
    assert same.json()["outcome"] == "duplicate"
    assert any("la date (2026-05-06" in each for each in same.json()["warnings"])
    mended = await rectify(date="2026-03-04")
    assert mended.json()["outcome"] == "accepted"
    last = (await office.logged())[-1]
    assert (last.note.date.isoformat(), "date" in last.guessed) == ("2026-03-04", False)
    after = await rectify()
    assert after.json()["outcome"] == "duplicate"
    assert not any("la date (" in each for each in after.json()["warnings"])


async def test_a_number_that_was_kept_with_other_dashes_can_still_be_rectified(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr("services.ingest.accept.with_plain_references", lambda note: note)
        kept = (await office.send(reference="BER\u20111")).json()["id"]
    changed = BERLIN | {"reference": "BER\u20111", "subject": "Autre objet"}
    answer = await office.client.put(
        f"/api/v1/notes/{kept}", json=changed, headers={"If-Match": "*"}
    )
    assert answer.status_code == 202, answer.text
    assert answer.json()["id"] == kept

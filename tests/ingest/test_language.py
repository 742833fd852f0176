"""The language of a note that a counsellor sends without a word of its language."""

from typing import ClassVar

import pytest

from schemas.vocabulary import languages
from services.ingest.language import READ, language_of, stated_or_found, warnings
from tests.builders import a_note
from tests.ingest.conftest import BERLIN, Office
from tests.ingest.texts import ABROAD, FRENCH, SUBJECTS

ID = a_note().id
IN_FRENCH = (
    "Le gouvernement a présenté mardi le rapport de la commission sur les retraites. Il propose de "
    "porter l'âge de départ à 68 ans et d'étendre l'épargne d'entreprise aux plus jeunes. Les "
    "syndicats critiquent ce plan, tandis que les employeurs demandent plus de temps. "
)


@pytest.mark.parametrize(("code", "text"), ABROAD.items(), ids=ABROAD)
def test_the_language_of_a_few_lines_is_found(code: str, text: str) -> None:
    assert language_of("Note", text) == code
    assert code in languages()


@pytest.mark.parametrize(("code", "subject"), SUBJECTS, ids=[f"{c}-{s}" for c, s in SUBJECTS])
def test_a_subject_alone_says_mostly_what_language_it_is_in(code: str, subject: str) -> None:
    assert language_of(subject, subject) == code


@pytest.mark.parametrize("text", FRENCH)
def test_a_french_note_that_quotes_other_languages_is_in_french(text: str) -> None:
    assert language_of(text, "Voir ci-joint.") == "fr"


@pytest.mark.parametrize(
    "text", ["Streik", "OK", "…", "2026", "罢工", "12,5 % – 13,7 % – 14,0 % – 15,2 %"]
)
def test_a_word_or_figures_do_not_say_what_language_they_are_in(text: str) -> None:
    assert language_of(text, text) == "fr"


def test_an_annex_in_english_does_not_make_a_french_note_english() -> None:
    french = IN_FRENCH * 12
    assert len(french) > READ
    assert language_of("Transmission", french + ABROAD["en"] * 100) == "fr"


def test_what_the_sender_states_wins_over_what_is_found() -> None:
    note = a_note(body=ABROAD["de"], language="fr")
    assert stated_or_found(note, frozenset()) == (note, frozenset())
    assert warnings(note, frozenset()) == ()


def test_a_language_found_is_a_defaulted_field_and_said_in_french() -> None:
    note, defaulted = stated_or_found(a_note(subject="Report", body=ABROAD["en"]), frozenset())
    assert (note.language, defaulted) == ("en", {"language"})
    (said,) = warnings(note, defaulted)
    assert said.startswith("langue reconnue : anglais")


class TestSubmitting:
    """A note in English, over HTTP."""

    ENGLISH: ClassVar = {"subject": "Pension reform: the white paper", "body": ABROAD["en"]}

    async def test_its_language_is_found_said_and_kept(self, office: Office) -> None:
        sent = await office.send(**self.ENGLISH)
        assert sent.status_code == 202
        assert "anglais" in sent.json()["warnings"][0]
        (event,) = await office.logged()
        assert event.note.language == "en"

    async def test_sent_again_it_is_the_same_note_whether_its_language_is_stated_or_not(
        self, office: Office
    ) -> None:
        for stated in ({}, {}, {"language": "en"}, {}):
            answer = await office.send(**self.ENGLISH, **stated)
            assert answer.json()["id"] == str(ID)
        assert answer.json()["outcome"] == "duplicate"

    async def test_a_note_received_when_every_language_was_french_stays_a_duplicate(
        self, office: Office
    ) -> None:
        assert (await office.send(**self.ENGLISH, language="fr")).status_code == 202
        again = await office.send(**self.ENGLISH)
        assert (again.status_code, again.json()["outcome"]) == (200, "duplicate")

    async def test_another_language_is_another_content(self, office: Office) -> None:
        await office.send(**self.ENGLISH)
        other = await office.send(**self.ENGLISH, language="cy")
        assert other.status_code == 409
        assert [error["field"] for error in other.json()["errors"]] == ["language"]

    async def test_a_rectified_text_has_its_own_language(self, office: Office) -> None:
        await office.send(**self.ENGLISH, language="cy")
        address = f"/api/v1/notes/{ID}"
        seen = {"If-Match": "*"}
        same = await office.client.put(address, json=BERLIN | self.ENGLISH, headers=seen)
        assert same.json()["outcome"] == "duplicate"
        german = BERLIN | {"body": ABROAD["de"]}
        other = await office.client.put(address, json=german, headers=seen)
        assert "allemand" in other.json()["warnings"][0]
        assert [event.note.language for event in await office.logged()] == ["cy", "de"]

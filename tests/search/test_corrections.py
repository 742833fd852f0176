"""A reader's correction seen by other readers, and exported as labelled data; declared tags."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.access import Role
from schemas.answers import Disagreement, NoteView, TagCodes
from schemas.correction import LabelledNote
from schemas.events import ClassifiedNote, CorrectionTags, Kind
from schemas.vocabulary import Marking
from services.runtime.registry import CorrectionRow, CorrectionSubmission, Registry
from services.search.corrections import label
from services.search.disagreement import disagreement
from tests.builders import a_classified_note, a_note
from tests.pages.html import Page
from tests.pages.test_pages import page
from tests.runtime.registry_kit import correction
from tests.search import corpus
from tests.search.site import Site
from tests.search.test_handlers import receive

HOSPITALS = CorrectionTags(themes=("sante.hopital",), countries=("AT",))


def corrected(event: ClassifiedNote, tags: CorrectionTags = HOSPITALS) -> ClassifiedNote:
    """The same note, corrected by a reader."""
    return event.model_copy(
        update={"kind": Kind.CORRECTED, "correction": 1, "correction_tags": tags}
    )


async def shown(site: Site, event: ClassifiedNote) -> Page:
    """The page of that note."""
    return await page(site, f"/notes/{event.note_id}")


def in_the_registry(registry: Registry, event: ClassifiedNote, **changes: Any) -> datetime:
    """Begin the correction that this event carries; when."""
    assert event.correction_tags is not None
    sent: CorrectionSubmission = correction(
        note_id=event.note_id, tags=event.correction_tags, **changes
    )
    registry.begin_correction(sent)
    return sent.at


class TestDisagreement:
    def of(self, themes: Any = (), countries: Any = (), **found: Any) -> Disagreement | None:
        note = a_note(declared_themes=themes, declared_countries=countries)
        event = a_classified_note(note, **found)
        return disagreement(note, event.classification)

    def test_an_author_who_declares_nothing_disagrees_with_nothing(self) -> None:
        assert self.of() is None

    def test_an_author_and_a_classifier_may_agree(self) -> None:
        assert self.of(("protection_sociale", "retraites"), ("DE",)) is None

    def test_a_detail_found_under_a_declared_theme_is_no_difference(self) -> None:
        assert self.of(("protection_sociale",)) is None

    def test_what_only_one_of_them_says_is_named(self) -> None:
        assert self.of(("travail.emploi",), ("AT", "DE"), about=("DE", "FR")) == Disagreement(
            declared_only=TagCodes(themes=("travail.emploi",), countries=("AT",)),
            found_only=TagCodes(themes=("protection_sociale",), countries=("FR",)),
        )

    def test_another_sub_theme_of_the_same_theme_is_a_difference(self) -> None:
        assert self.of(("protection_sociale.famille",)) == Disagreement(
            declared_only=TagCodes(themes=("protection_sociale.famille",)), found_only=TagCodes()
        )

    def test_a_declared_country_that_is_only_mentioned_is_a_difference(self) -> None:
        assert self.of((), ("DE",), about=(), mentioned=("DE",)) == Disagreement(
            declared_only=TagCodes(countries=("DE",)), found_only=TagCodes()
        )


async def test_a_program_sees_who_set_the_tags_and_what_was_found(site: Site) -> None:
    address = f"/api/v1/notes/{corpus.RETRAITES.note_id}"
    view = NoteView.model_validate((await site.get(address)).json())
    assert (view.tags_from, view.correction) == ("classifier", 0)
    assert view.found == corpus.RETRAITES.classification
    await site.take(corrected(corpus.RETRAITES))
    answer = await site.get(address)
    view = NoteView.model_validate(answer.json())
    assert answer.headers["ETag"] == '"1.1.1"'
    assert (view.tags_from, view.correction) == ("reader", 1)
    assert [(tag.theme, tag.subthemes) for tag in view.themes] == [("sante", ("hopital",))]
    assert [(tag.country, tag.role) for tag in view.countries] == [
        ("AT", "about"),
        ("FR", "mentioned"),
    ]
    assert view.found == corpus.RETRAITES.classification


async def test_a_corrected_note_is_found_under_its_new_tags_alone(site: Site) -> None:
    await site.take(corrected(corpus.RETRAITES))
    reference = corpus.RETRAITES.note.reference
    for wanted in ("theme=sante", "subtheme=sante.hopital", "country=AT"):
        assert reference in (await site.get(f"/api/v1/search?{wanted}")).text
    for left in ("theme=protection_sociale", "country=DE"):
        assert reference not in (await site.get(f"/api/v1/search?{left}")).text


async def test_a_later_release_and_a_late_event_leave_the_correction_in_force(site: Site) -> None:
    event = corrected(corpus.RETRAITES)
    later = event.classification.model_copy(update={"release": 9})
    await site.take(event, event.model_copy(update={"classification": later}), corpus.RETRAITES)
    view = (await site.get(f"/api/v1/notes/{event.note_id}")).json()
    assert (view["release"], view["tags_from"], view["correction"]) == (9, "reader", 1)
    assert [tag["theme"] for tag in view["themes"]] == ["sante"]


async def test_the_page_says_what_the_correction_replaced(site: Site) -> None:
    await site.take(corrected(corpus.RETRAITES))
    labels = (await shown(site, corpus.RETRAITES)).one("aside").text
    assert "corrigés par un lecteur" in labels
    assert "Le classement avait reconnu : Protection sociale" in labels.replace("\xa0", " ")
    assert "Allemagne" in labels


async def test_the_page_of_a_note_corrected_to_nothing_says_so(site: Site) -> None:
    await site.take(corrected(corpus.RETRAITES, CorrectionTags()))
    labels = (await shown(site, corpus.RETRAITES)).one("aside").text
    assert "ne relève d’aucun thème" in labels
    assert "n’a été reconnu" not in labels


async def test_declared_tags_stand_apart_and_their_difference_is_told(empty_site: Site) -> None:
    note = a_note(declared_themes=("travail.emploi",), declared_countries=("DE",))
    event = a_classified_note(note)
    await empty_site.take(event)
    found = await shown(empty_site, event)
    facts = found.one("dl", "facts").text.replace("\xa0", " ")
    assert "Thèmes déclarés" in facts
    assert "Travail : " in facts
    assert "Pays déclarés" in facts
    told = [one.text.replace("\xa0", " ") for one in found.all("p", "difference")]
    assert len(told) == 2
    assert told[0].startswith("Déclaré par l’auteur, non reconnu dans le texte : Travail : ")
    assert told[1] == "Reconnu dans le texte, non déclaré par l’auteur : Protection sociale."
    view = (await empty_site.get(f"/api/v1/notes/{note.id}")).json()
    assert view["disagreement"] == {
        "declared_only": {"themes": ["travail.emploi"], "countries": []},
        "found_only": {"themes": ["protection_sociale"], "countries": []},
    }
    assert [tag["theme"] for tag in view["themes"]] == ["protection_sociale"]


async def test_the_trace_tells_the_correction_from_what_was_found(site: Site) -> None:
    await site.take(corrected(corpus.RETRAITES))
    trace = (await site.get(f"/api/v1/notes/{corpus.RETRAITES.note_id}/trace")).json()
    (classified,) = [step for step in trace["steps"] if step["step"] == "classified"]
    assert "Protection sociale" in classified["detail"]
    assert classified["detail"].endswith("corrigé par un lecteur : Santé, Autriche")


async def export(site: Site) -> list[dict[str, Any]]:
    answer = await site.get("/api/v1/corrections")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_the_export_is_what_training_reads(empty_site: Site) -> None:
    receive(empty_site, corpus.RETRAITES, corpus.PROTOCOLE)
    event = corrected(corpus.RETRAITES)
    at = in_the_registry(empty_site.registry, event, comment="Lu en entier.")
    await empty_site.take(event, corpus.PROTOCOLE)
    (line,) = await export(empty_site)
    note = event.note
    assert {name: line[name] for name in ("id", "title", "text", "labels")} == {
        "id": str(event.note_id),
        "title": note.subject,
        "text": note.body,
        "labels": ["sante"],
    }
    assert (line["subthemes"], line["countries_about"]) == (["sante.hopital"], ["AT"])
    assert (line["post"], line["genre"], line["date"]) == (
        note.post, note.genre.value, note.date.isoformat(),
    )  # fmt: skip
    assert (line["source"], line["comment"]) == ("corrections", "Lu en entier.")
    assert datetime.fromisoformat(line["corrected_at"]) == at
    assert [tag["theme"] for tag in line["found"]["themes"]] == ["protection_sociale"]


async def test_what_is_not_in_force_is_not_exported(empty_site: Site) -> None:
    receive(empty_site, *corpus.ALL[:3])
    waiting, withdrawn, secret = (corrected(event) for event in corpus.ALL[:3])
    for event in (waiting, withdrawn, secret):
        in_the_registry(empty_site.registry, event)
    protected = secret.note.model_copy(update={"marking": Marking.DIFFUSION_RESTREINTE})
    await empty_site.take(
        corpus.ALL[0],
        withdrawn.model_copy(update={"revision": 2, "kind": Kind.WITHDRAWN}),
        secret.model_copy(update={"note": protected}),
    )
    empty_site.read_by(Role.READ)
    assert await export(empty_site) == []
    await empty_site.take(waiting)
    assert [line["id"] for line in await export(empty_site)] == [str(waiting.note_id)]


async def test_every_corrected_note_is_exported_once(
    empty_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.search.corrections.PAGE", 2)
    receive(empty_site, *corpus.ALL)
    events = [corrected(event) for event in corpus.ALL]
    for event in events:
        in_the_registry(empty_site.registry, event)
    await empty_site.take(*events)
    lines = await export(empty_site)
    assert [line["id"] for line in lines] == sorted(str(event.note_id) for event in events)
    assert all(LabelledNote.model_validate(line) for line in lines)


async def test_a_deployment_without_corrections_exports_nothing(site: Site) -> None:
    assert await export(site) == []


async def test_an_export_says_when_to_come_back_while_an_engine_is_away(
    empty_site: Site,
) -> None:
    receive(empty_site, corpus.RETRAITES)
    in_the_registry(empty_site.registry, corrected(corpus.RETRAITES))
    await empty_site.index.stop()
    answer = await empty_site.get("/api/v1/corrections")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_a_note_without_correction_is_no_labelled_data() -> None:
    assert label(corpus.RETRAITES) is None


def test_the_registry_s_word_counts_only_for_the_correction_that_it_is_about() -> None:
    event = corrected(corpus.RETRAITES)
    row = CorrectionRow(event.note_id, 1, 2, datetime(2030, 1, 1, tzinfo=UTC), "plus tard")
    found = label(event, row)
    assert found is not None
    assert (found.corrected_at, found.comment) == (event.at, None)


async def test_the_api_document_describes_the_export(site: Site) -> None:
    document = (await site.get("/openapi.json")).json()
    operation = document["paths"]["/api/v1/corrections"]["get"]
    (content,) = operation["responses"]["200"]["content"].items()
    assert content[0] == "application/x-ndjson"
    assert {"id", "title", "text", "labels"} <= content[1]["schema"]["properties"].keys()
    used = re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(operation))
    assert used
    assert set(used) <= document["components"]["schemas"].keys()

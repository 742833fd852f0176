"""What the index keeps of a note: tags in force, marks at their strictest, a short summary."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from schemas.events import CorrectionTags, Kind
from schemas.note import MarkedSpan
from services.runtime.access.rights import HIDDEN
from services.search.data import field_kinds
from services.search.document import (
    OTHER_FIELDS,
    documents,
    microseconds,
    other_views,
    tags_in_force,
)
from tests.builders import a_classified_note, a_note


def test_a_document_has_exactly_the_fields_of_the_table() -> None:
    (made,) = documents(a_classified_note())
    assert set(made) == set(field_kinds()) - set(OTHER_FIELDS.values())
    assert json.loads(json.dumps(made)) == made


@pytest.mark.parametrize(("stated", "kept"), [("en", "en"), ("eng", "en"), ("cy", "cy")])
def test_a_note_in_another_language_has_no_word_in_the_french_fields(
    stated: str, kept: str
) -> None:
    (made,) = documents(a_classified_note(a_note(language=stated, body="The pensions.")))
    assert set(made) == set(field_kinds()) - set(OTHER_FIELDS)
    assert (made["language"], made["body_other"]) == (kept, "The pensions.")


def test_french_has_several_codes() -> None:
    (made,) = documents(a_classified_note(a_note(language="fra")))
    assert made["language"] == "fr"


def test_a_document_carries_codes_times_and_tags() -> None:
    note = a_classified_note(
        themes=("sante.hopital", "travail"), about=("DE", "ES"), mentioned=("FR",), revision=3
    )
    (made,) = documents(note)
    assert made["themes"] == ["sante", "travail"]
    assert made["subthemes"] == ["sante.hopital"]
    assert (made["countries_about"], made["countries_any"]) == (["DE", "ES"], ["DE", "ES", "FR"])
    assert (made["date"], made["year"], made["version"]) == ("2026-03-04", 2026, note.version)
    assert made["received_us"] == microseconds(note.received_at)


def test_a_tombstone_holds_nothing_that_could_be_found() -> None:
    (made,) = documents(a_classified_note(kind=Kind.WITHDRAWN))
    assert made["withdrawn"] is True
    assert not {"subject", "body", "reference", "themes", "hit"} & set(made)
    assert made["event"]["note"]["subject"]


def test_a_correction_replaces_every_tag_of_the_classifier() -> None:
    corrected = a_classified_note(
        themes=("travail.emploi",),
        about=("FR",),
        correction_tags=CorrectionTags(themes=("sante.hopital", "sante", "travail")),
    )
    tags = tags_in_force(corrected)
    assert [(tag.theme, tag.subthemes) for tag in tags.themes] == [
        ("sante", ("hopital",)),
        ("travail", ()),
    ]
    assert {(tag.score, tag.evidence) for tag in tags.themes} == {(1.0, ())}
    assert tags.countries == ()


@pytest.mark.parametrize(
    ("corrected", "held"),
    [
        (CorrectionTags(countries=("DE",)), [("DE", "about"), ("FR", "mentioned")]),
        (CorrectionTags(themes=("sante",)), [("FR", "mentioned")]),
        (CorrectionTags(countries=("FR", "ES")), [("FR", "about"), ("ES", "about")]),
    ],
)
def test_what_a_note_only_mentions_stays_as_it_was_found(
    corrected: CorrectionTags, held: list[tuple[str, str]]
) -> None:
    note = a_classified_note(about=("DE",), mentioned=("FR",), correction_tags=corrected)
    assert [(tag.country, tag.role) for tag in tags_in_force(note).countries] == held


@pytest.mark.parametrize(
    ("marks", "audiences"),
    [
        ({}, "0123"),
        ({"marking": "diffusion_restreinte"}, "13"),
        ({"special_france": True}, "23"),
        ({"marking": "diffusion_restreinte", "special_france": True}, "3"),
    ],
)
def test_a_note_is_for_the_audiences_that_its_marks_admit(
    marks: dict[str, object], audiences: str
) -> None:
    (made,) = documents(a_classified_note(a_note(**marks)))
    assert made["audiences"] == list(audiences)


@pytest.mark.parametrize(
    ("mark", "views"),
    [
        ("Non protégé", {0: "0123"}),
        ("DIFFUSION RESTREINTE", {0: "13", 1: "02"}),
        ("Spécial France", {0: "23", 1: "01"}),
        ("Très Confidentiel", {0: "3", 1: "012"}),
    ],
)
def test_a_marked_passage_makes_one_more_document_without_it(
    mark: str, views: dict[int, str]
) -> None:
    span = MarkedSpan(field="body", start=0, end=3, mark=mark)
    made = documents(a_classified_note(a_note(marked_spans=[span])))
    assert {each["view"]: "".join(each["audiences"]) for each in made} == views
    for each in made[1:]:
        assert each["body"] == HIDDEN + made[0]["body"][3:]
        assert each["hit"]["summary"].startswith(HIDDEN)


def test_a_later_revision_ends_the_views_that_it_has_not() -> None:
    first, second = (a_classified_note(revision=number) for number in (1, 2))
    assert other_views(first, documents(first)) == []
    ended = other_views(second, documents(second))
    assert [(each["view"], each["withdrawn"]) for each in ended] == [
        (1, True),
        (2, True),
        (3, True),
    ]


def test_an_instant_is_the_same_in_every_time_zone() -> None:
    moment = datetime(2026, 3, 4, 23, 30, 0, 1, tzinfo=UTC)
    assert microseconds(moment) == 1_772_667_000_000_001
    assert microseconds(moment.astimezone(timezone(timedelta(hours=2)))) == microseconds(moment)


@pytest.mark.parametrize("ahead", [8, 30, 365])
def test_a_note_dated_ahead_of_its_receipt_is_listed_by_it(ahead: int) -> None:
    received = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
    note = a_note(date=received.date() + timedelta(days=ahead))
    (made,) = documents(a_classified_note(note, received_at=received, at=received))
    assert made["date"] == ["2026-03-04", note.date.isoformat()]
    assert (made["year"], made["hit"]["date"]) == (note.date.year, note.date.isoformat())


@pytest.mark.parametrize("ahead", [-3_650, 0, 1, 7])
def test_a_note_dated_before_or_a_few_days_ahead_is_listed_by_its_date(ahead: int) -> None:
    received = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
    note = a_note(date=received.date() + timedelta(days=ahead))
    (made,) = documents(a_classified_note(note, received_at=received, at=received))
    assert made["date"] == note.date.isoformat()


def test_a_date_that_was_set_right_later_is_the_notes_own() -> None:
    received = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
    note = a_note(date=received.date() + timedelta(days=90))
    changed = received + timedelta(days=90)
    (made,) = documents(a_classified_note(note, received_at=received, at=changed, revision=2))
    assert made["date"] == note.date.isoformat()

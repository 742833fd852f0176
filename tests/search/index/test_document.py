"""What the index keeps of a note: tags in force, marks at their strictest, a short summary."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import CorrectionTags, Kind
from schemas.note import MarkedSpan
from services.search.data import field_kinds
from services.search.document import (
    SUMMARY_CHARACTERS,
    document,
    microseconds,
    summary,
    tags_in_force,
)
from tests.builders import a_classified_note, a_note


def test_a_document_has_exactly_the_fields_of_the_table() -> None:
    made = document(a_classified_note())
    assert set(made) == set(field_kinds())
    assert json.loads(json.dumps(made)) == made


def test_a_document_carries_codes_times_and_tags() -> None:
    note = a_classified_note(
        themes=("sante.hopital", "travail"), about=("DE", "ES"), mentioned=("FR",), revision=3
    )
    made = document(note)
    assert made["themes"] == ["sante", "travail"]
    assert made["subthemes"] == ["sante.hopital"]
    assert (made["countries_about"], made["countries_any"]) == (["DE", "ES"], ["DE", "ES", "FR"])
    assert (made["date"], made["year"], made["version"]) == ("2026-03-04", 2026, note.version)
    assert made["received_us"] == microseconds(note.received_at)


def test_a_tombstone_holds_nothing_that_could_be_found() -> None:
    made = document(a_classified_note(kind=Kind.WITHDRAWN))
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
    ("mark", "marking", "special_france"),
    [
        ("Non protégé", "non_protege", False),
        ("DIFFUSION RESTREINTE", "diffusion_restreinte", False),
        ("Spécial France", "non_protege", True),
        ("special_france", "non_protege", True),
        ("Très Confidentiel", "diffusion_restreinte", True),
    ],
)
def test_a_marked_passage_marks_the_whole_note(
    mark: str, marking: str, special_france: bool
) -> None:
    span = MarkedSpan(field="body", start=0, end=3, mark=mark)
    made = document(a_classified_note(a_note(marked_spans=[span])))
    assert (made["marking"], made["special_france"]) == (marking, special_france)


def test_a_passage_never_makes_a_note_less_protected() -> None:
    span = MarkedSpan(field="body", start=0, end=3, mark="non protégé")
    made = document(
        a_classified_note(
            a_note(marked_spans=[span], marking="diffusion_restreinte", special_france=True)
        )
    )
    assert (made["marking"], made["special_france"]) == ("diffusion_restreinte", True)


def test_an_instant_is_the_same_in_every_time_zone() -> None:
    moment = datetime(2026, 3, 4, 23, 30, 0, 1, tzinfo=UTC)
    assert microseconds(moment) == 1_772_667_000_000_001
    assert microseconds(moment.astimezone(timezone(timedelta(hours=2)))) == microseconds(moment)


def test_a_short_body_is_its_own_summary() -> None:
    assert summary("Une brève\n\nde deux lignes. ") == "Une brève de deux lignes."


@given(st.text(alphabet="ab \n,é", max_size=2_000), st.integers(2, SUMMARY_CHARACTERS))
def test_a_summary_is_one_short_line_from_the_beginning(body: str, most: int) -> None:
    shown = summary(body, most)
    assert len(shown) <= most
    assert "\n" not in shown
    line = " ".join(body.split())
    if shown.endswith("…"):
        assert line.startswith(shown[:-1])
    else:
        assert shown == line

"""The examples of the contract: ids, versions, events, vocabulary."""

import json
import unicodedata
from pathlib import Path

import pycountry
import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import vocabulary
from schemas.classification import Classification
from schemas.events import (
    ClassifiedNote,
    Kind,
    NoteEvent,
    UnreadableEvent,
    decode,
    encode,
    version,
)
from schemas.note import Note, normalise_text, note_id
from schemas.query import Query
from tests.builders import a_classified_note, a_note, an_event

SAMPLES = Path(__file__).parent / "samples"


def test_the_same_post_and_reference_give_the_same_id_however_they_are_spelt() -> None:
    spelt = note_id("berlin", "Réf  142 ")
    assert spelt == note_id("berlin", unicodedata.normalize("NFD", "Réf 142"))
    assert spelt != note_id("madrid", "Réf 142")


def test_a_note_id_never_changes_from_one_release_to_the_next() -> None:
    assert str(note_id("berlin", "BER-2026-0142")) == "105be485-7d6e-50c1-89e7-3216735d3870"


def test_the_version_is_revision_then_correction_then_release() -> None:
    assert version(1, 0, 1) == 2**40 + 1
    assert version(2, 0, 1) > version(1, 9, 999) > version(1, 9, 998) > version(1, 8, 999)


parts = st.tuples(st.integers(1, 2**22 - 1), st.integers(0, 2**20 - 1), st.integers(0, 2**20 - 1))


@given(parts, parts)
def test_versions_compare_as_their_parts_do(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    assert (version(*one) < version(*other)) == (one < other)
    assert 0 < version(*one) < 2**63


@pytest.mark.parametrize("bad", [(0, 0, 1), (1, -1, 0), (1, 2**20, 0), (2**22, 0, 0)])
def test_a_version_that_does_not_fit_is_refused(bad: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        version(*bad)


def test_an_event_read_back_is_the_event_written() -> None:
    for event in (an_event(), a_classified_note()):
        assert decode(type(event), encode(event)) == event


def test_an_event_says_its_schema_on_the_wire() -> None:
    assert json.loads(encode(an_event()))["schema"] == 1


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"{}",
        encode(an_event()).replace(b'"schema":1', b'"schema":99'),
        encode(an_event()).replace(b'"kind":"submitted"', b'"kind":"burnt"'),
        encode(an_event()).replace(b'"revision":1', b'"revision":0'),
        encode(an_event()).replace(b'"BER-2026-0142"', b'"BER-2026-0143"'),
    ],
)
def test_bytes_that_are_no_event_are_unreadable_with_a_reason(value: bytes) -> None:
    with pytest.raises(UnreadableEvent) as refused:
        decode(NoteEvent, value)
    assert str(refused.value)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("submitted-*.json")), ids=lambda p: p.name)
def test_a_frozen_sample_of_a_submitted_event_stays_readable(path: Path) -> None:
    assert decode(NoteEvent, path.read_bytes()).note.body


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("classified-*.json")), ids=lambda p: p.name)
def test_a_frozen_sample_of_a_classified_event_stays_readable(path: Path) -> None:
    assert decode(ClassifiedNote, path.read_bytes()).classification.release


def test_a_note_without_marked_passages_travels_as_it_did_before_there_were_views() -> None:
    # Readers of the former release refuse fields that they do not know.
    assert b"views" not in encode(a_classified_note())


def test_an_event_keeps_the_tags_of_its_shortened_texts() -> None:
    event = decode(ClassifiedNote, (SAMPLES / "classified-v1-views.json").read_bytes())
    assert [view.hidden for view in event.views] == [(0, 1), (1,), (0,)]
    assert decode(ClassifiedNote, encode(event)) == event


def test_there_is_a_frozen_sample_of_every_kind_of_event() -> None:
    kinds = {json.loads(path.read_bytes())["kind"] for path in SAMPLES.glob("submitted-v1-*.json")}
    assert kinds == set(Kind) - {Kind.RECLASSIFIED}


def test_a_note_refuses_a_field_it_does_not_know() -> None:
    with pytest.raises(ValidationError, match="classement"):
        Note.model_validate({**a_note().model_dump(), "classement": "A"})


@pytest.mark.parametrize(
    "change",
    [
        {"post": "atlantide"},
        {"reference": "  "},
        {"subject": ""},
        {"body": "\n \t"},
        {"date": "2026-02-30"},
        {"genre": "roman"},
        {"declared_themes": ["cuisine"]},
        {"declared_countries": ["ZZ"]},
        {"marking": "secret"},
        {"marked_spans": [{"field": "subject", "start": 0, "end": 9_999, "mark": "x"}]},
    ],
)
def test_a_note_refuses_what_the_vocabulary_does_not_hold(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        a_note(**change)


def test_a_note_is_normalised_once_at_entry() -> None:
    note = a_note(
        subject=unicodedata.normalize("NFD", " Santé   à l’hôpital "),
        body="Ligne une\r\nligne\x0bdeux\u202e\x00",
    )
    assert note.subject == "Santé à l’hôpital"
    assert note.body == "Ligne une\nligne\ndeux"


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    try:
        once = normalise_text(text)
    except ValueError:
        return
    assert normalise_text(once) == once


def test_a_query_cannot_be_built_without_a_reader() -> None:
    with pytest.raises(ValidationError, match="reader"):
        Query.model_validate({"words": "retraites"})


def test_bare_subtheme_codes_are_unique() -> None:
    bare = [code.partition(".")[2] for code in vocabulary.subthemes()]
    assert len(bare) == len(set(bare)) == 34


def test_languages_have_the_codes_of_iso_639_and_the_names_of_cldr() -> None:
    names = Locale("fr").languages
    for code, name in vocabulary.languages().items():
        assert name == names[code]
        known = pycountry.languages.get(alpha_2=code)
        three = {known.alpha_3, getattr(known, "bibliographic", known.alpha_3)}
        assert {vocabulary.language_code(other) for other in three} == {code}
    assert vocabulary.language_code("nn") == "no"
    assert vocabulary.language_code("cy") == "cy"


def test_every_post_covers_known_countries() -> None:
    assert len(vocabulary.posts()) == 14
    for post in vocabulary.posts().values():
        assert {covered.country for covered in post.covers} <= vocabulary.countries().keys()


def test_there_are_all_countries_of_iso_3166_and_kosovo() -> None:
    assert len(vocabulary.countries()) == 250
    assert vocabulary.countries()["XK"] == "Kosovo"
    assert vocabulary.countries()["CI"] == "Côte d'Ivoire"


@pytest.mark.parametrize("name", ["posts", "themes", "countries", "genres"])
def test_every_data_file_names_its_provenance(name: str) -> None:
    path = Path(vocabulary.__file__).parent / "data" / f"{name}.json"
    assert len(json.loads(path.read_text(encoding="utf-8"))["provenance"]) > 40


def test_a_release_is_a_positive_integer() -> None:
    with pytest.raises(ValidationError):
        Classification(release=0)


@pytest.mark.parametrize("marks", ["\u0301", "\u0301\u0316", "\u0316\u0301\u0334"])
def test_a_flood_of_combining_marks_is_refused_before_it_costs_anything(marks: str) -> None:
    # Putting a run of marks in order takes time with its square: these would take an hour.
    with pytest.raises(ValueError, match="signes diacritiques"):
        normalise_text("e" + marks * 500_000)


def test_marks_that_come_apart_into_two_are_counted_as_they_are_stored() -> None:
    # Else a note would be accepted that cannot be read back.
    with pytest.raises(ValueError, match="signes diacritiques"):
        normalise_text("e" + "\u0344" * 20)


def test_as_many_marks_as_any_language_writes_are_kept() -> None:
    assert normalise_text("e" + "\u0301\u0316" * 15)

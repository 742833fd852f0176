"""Reading a submission: what becomes a note, and what is said of what does not."""

import json
import re
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.answers import Problem
from schemas.events import MAX_REVISION, Kind
from schemas.note import Note
from schemas.vocabulary import posts
from services.ingest.accept import (
    Refused,
    accept,
    content_hash,
    defaulted_fields,
    traceparent,
)
from services.ingest.accept import read_note as read_with_warnings
from services.runtime.marks import refusal
from tests.builders import a_note
from tests.ingest.conftest import BERLIN
from tests.keys import a_caller

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)

ENGLISH = re.compile(
    r"\b(input|should|value|error|valid|field|required|extra|permitted|string|expected|most|least"
    r"|array|object expected|boolean|integer|items?|characters?)\b",
    re.IGNORECASE,
)


def raw(**changes: Any) -> bytes:
    return json.dumps(BERLIN | changes).encode()


def read_note(sent: bytes) -> Note:
    return read_with_warnings(sent)[0]


def read(sent: bytes) -> Note | Problem:
    try:
        return read_note(sent)
    except Refused as error:
        return error.problem


def refusal_of(sent: bytes) -> tuple[int, dict[str, str]]:
    """Status and complaints by field."""
    with pytest.raises(Refused) as error:
        read_note(sent)
    said = error.value.problem
    return said.status, {each["field"]: each["detail"] for each in said.errors or []}


class TestNotes:
    def test_the_five_required_fields_make_a_note(self) -> None:
        note = read_note(raw())
        assert note.reference == "BER-2026-0142"
        assert (note.genre, note.language, note.marking) == ("note", "fr", "non_protege")

    def test_every_field_of_the_contract_is_taken(self) -> None:
        full = {
            "genre": "breve",
            "author": "Claire Martin",
            "addressees": ["DSS", "DGT"],
            "action": "action",
            "marking": "non_protege",
            "special_france": False,
            "marked_spans": [],
            "language": "de",
            "declared_themes": ["travail", "retraites"],
            "declared_countries": ["DE", "XK"],
            "cites": ["BER-2025-0007"],
            "replies_to": "DAEI-2026-11",
            "attachments": ["annexe.pdf"],
        }
        note = read_note(raw(**full))
        assert note.declared_themes == ("travail", "protection_sociale.retraites")
        assert note.addressees == ("DSS", "DGT")

    def test_text_is_normalised_once(self) -> None:
        note = read_note(raw(subject="  Re\u0301forme\u202e  des\tretraites ", body="un\r\ndeux"))
        assert note.subject == "Réforme des retraites"
        assert note.body == "un\ndeux"

    def test_a_byte_order_mark_is_no_reason_to_refuse(self) -> None:
        assert read_note(b"\xef\xbb\xbf" + raw()).post == "berlin"

    def test_an_event_is_the_first_of_its_note(self) -> None:
        taken = accept(
            raw(), sender=a_caller(), now=NOW, trace="00-" + "a" * 32 + "-" + "b" * 16 + "-01"
        )
        event = taken.submission.event
        assert (event.kind, event.revision, event.correction) == (Kind.SUBMITTED, 1, 0)
        assert event.at == event.received_at == NOW
        assert event.event_id.version == 7
        assert event.trace is not None
        assert event.revision <= MAX_REVISION

    def test_a_sender_is_warned_of_a_date_to_come(self) -> None:
        assert accept(raw(date="2026-03-06"), sender=a_caller(), now=NOW).warnings == ()
        (warning,) = accept(raw(date="2062-03-04"), sender=a_caller(), now=NOW).warnings
        assert "2062-03-04" in warning


class TestRefusals:
    @pytest.mark.parametrize("field", ["post", "reference", "subject", "body", "date"])
    def test_a_missing_field_is_named(self, field: str) -> None:
        fields = {name: value for name, value in BERLIN.items() if name != field}
        status, said = refusal_of(json.dumps(fields).encode())
        assert (status, said) == (422, {field: "champ obligatoire"})

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"post": "paris"}, "post"),
            ({"post": 3}, "post"),
            ({"reference": " "}, "reference"),
            ({"reference": "x" * 201}, "reference"),
            ({"subject": "\u202e"}, "subject"),
            ({"body": "\n \n"}, "body"),
            ({"body": None}, "body"),
            ({"date": "4 mars 2026"}, "date"),
            ({"date": "2026-02-30"}, "date"),
            ({"date": "2026-03-04T10:00:00Z"}, "date"),
            ({"date": 1_772_582_400}, "date"),
            ({"date": "86400"}, "date"),
            ({"genre": "roman"}, "genre"),
            ({"action": "rien"}, "action"),
            ({"language": "français"}, "language"),
            ({"special_france": "oui"}, "special_france"),
            ({"addressees": "DSS"}, "addressees"),
            ({"addressees": ["x"] * 201}, "addressees"),
            ({"addressees": ["DSS", 4]}, "addressees.1"),
            ({"declared_themes": ["astrologie"]}, "declared_themes.0"),
            ({"declared_countries": ["ZZ"]}, "declared_countries.0"),
            ({"marked_spans": [{"field": "body", "start": -1, "end": 1}]}, "marked_spans.0.start"),
            ({"titre": "x"}, "titre"),
            ({"id": "x"}, "id"),
        ],
    )
    def test_a_wrong_field_is_named_in_french(self, changes: dict[str, Any], field: str) -> None:
        status, said = refusal_of(raw(**changes))
        assert status == 422
        assert field in said
        for detail in said.values():
            assert not ENGLISH.search(detail), detail

    def test_all_wrong_fields_are_named_at_once(self) -> None:
        _, said = refusal_of(raw(post="paris", genre="roman", titre="x"))
        assert set(said) == {"post", "genre", "titre"}

    @pytest.mark.parametrize("sent", [b"[]", b"3", b'"note"', b"null", b"true"])
    def test_json_that_is_no_object_is_no_note(self, sent: bytes) -> None:
        assert refusal_of(sent)[0] == 422

    @pytest.mark.parametrize(
        "sent",
        [
            b"",
            b"{",
            b"une note",
            raw() + b"{}",
            b'{"post": "berlin\n"}',
            b'{"post": NaN}',
            b'{"post": -Infinity}',
            b'{"post": "berlin", "post": "madrid"}',
            b'{"marked_spans": [{"start": 1, "start": 2}]}',
            b'{"post": ' + b"9" * 5_000 + b"}",
            b'{"post": 1.' + b"9" * 5_000 + b"}",
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"subject": "R\xe9forme"}',
            "{}".encode("utf-16"),
            b"\xff\xfe",
        ],
    )
    def test_what_is_no_json_is_said_to_be_none(self, sent: bytes) -> None:
        assert refusal_of(sent)[0] == 400

    def test_a_repeated_field_is_named(self) -> None:
        assert refusal_of(b'{"post": "berlin", "post": "madrid"}')[1] == {"post": "champ répété"}

    def test_nesting_in_an_unknown_field_is_refused(self) -> None:
        nested = b'{"x": ' + b"[" * 500 + b"]" * 500 + b"}"
        assert refusal_of(nested)[0] in {400, 422}

    @pytest.mark.parametrize("text", ["nul \\u0000", "demi \\ud800", "demi \\uDFFF"])
    @pytest.mark.parametrize("field", ["body", "post", "language", "genre", "titre"])
    def test_characters_that_nothing_can_keep_are_refused(self, text: str, field: str) -> None:
        sent = raw(**{field: "@"}).decode().replace("@", text).encode()
        status, said = refusal_of(sent)
        assert status == 422
        assert field in said
        json.dumps(said, ensure_ascii=False).encode()

    def test_such_characters_in_a_fields_name_are_refused(self) -> None:
        status, said = refusal_of(raw().replace(b'"post"', b'"p\\ud800st"'))
        assert status == 422
        json.dumps(said, ensure_ascii=False).encode()

    def test_a_whole_code_point_in_two_escapes_is_taken(self) -> None:
        assert read_note(raw().replace(b"Berlin", b"").replace(b"68", b"\\ud83c\\uddeb")).body

    def test_a_million_fields_are_refused_quickly(self) -> None:
        sent = b"{" + b",".join(b'"%d":0,"%d":0' % (n, n) for n in range(200_000)) + b"}"
        began = time.monotonic()
        assert refusal_of(sent)[0] == 400
        assert time.monotonic() - began < 10

    def test_no_more_is_said_than_can_be_read(self) -> None:
        status, said = refusal_of(raw(**{f"champ_{n}" * 90: 0 for n in range(500)}))
        assert status == 422
        assert len(said) <= 20
        assert all(len(field) <= 200 for field in said)


class TestMarks:
    @pytest.mark.parametrize(
        ("changes", "marking", "special_france"),
        [
            ({"marking": "diffusion_restreinte"}, "diffusion_restreinte", False),
            ({"marking": "Diffusion restreinte"}, "diffusion_restreinte", False),
            ({"marking": "DR"}, "diffusion_restreinte", False),
            ({"marking": "NON_PROTEGE"}, "non_protege", False),
            ({"marking": "Non protégé"}, "non_protege", False),
            ({"marking": "Spécial France"}, "non_protege", True),
            ({"marking": "DR SF"}, "diffusion_restreinte", True),
            ({"special_france": True}, "non_protege", True),
            ({"marking": "DR", "special_france": True}, "diffusion_restreinte", True),
        ],
    )
    def test_a_mark_is_taken_as_somebody_wrote_it(
        self, changes: dict[str, Any], marking: str, special_france: bool
    ) -> None:
        note, warned = read_with_warnings(raw(**changes))
        assert (note.marking, note.special_france) == (marking, special_france)
        assert warned == ()

    @pytest.mark.parametrize("mark", ["CONFIDENTIEL", "rouge", "", "secret médical", "x" * 300])
    def test_an_unknown_mark_is_the_strictest_and_the_receipt_warns(self, mark: str) -> None:
        sent = raw(marking=mark, special_france=False)
        taken = accept(sent, sender=a_caller(), now=NOW)
        note = taken.submission.event.note
        assert (note.marking, note.special_france) == ("diffusion_restreinte", True)
        (warning,) = taken.warnings
        assert "n’est pas connue" in warning
        assert len(warning) < 300

    def test_marks_of_passages_are_kept_in_our_words_or_as_they_were_written(self) -> None:
        marks = ["Spécial France", "DR", "rouge", "rouge"]
        spans = [{"field": "body", "start": 0, "end": 3, "mark": mark} for mark in marks]
        note, warned = read_with_warnings(raw(marked_spans=spans))
        assert [span.mark for span in note.marked_spans] == [
            "special_france",
            "diffusion_restreinte",
            "rouge",
            "rouge",
        ]
        assert (note.marking, note.special_france) == ("non_protege", False)
        (warning,) = warned
        assert "« rouge »" in warning

    @pytest.mark.parametrize(
        ("changes", "marking", "special_france"),
        [
            ({"body": "DIFFUSION RESTREINTE\n\nLe texte."}, "diffusion_restreinte", False),
            ({"subject": "SPÉCIAL FRANCE – Retraites"}, "non_protege", True),
            ({"body": "DIFFUSION RESTREINTE – SF\nTexte."}, "diffusion_restreinte", True),
            (
                {"marking": "Spécial France", "body": "DIFFUSION RESTREINTE\n\nLe texte."},
                "diffusion_restreinte",
                True,
            ),
        ],
    )
    def test_marks_in_the_text_win_over_lesser_ones_and_the_receipt_warns(
        self, changes: dict[str, Any], marking: str, special_france: bool
    ) -> None:
        note, warned = read_with_warnings(raw(**changes))
        assert (note.marking, note.special_france) == (marking, special_france)
        (warning,) = warned
        assert "n’était pas déclarée" in warning

    def test_declared_marks_stay_where_the_text_says_less(self) -> None:
        sent = raw(marking="DR", special_france=True, body="DIFFUSION RESTREINTE\n\nLe texte.")
        note, warned = read_with_warnings(sent)
        assert (note.marking, note.special_france, warned) == ("diffusion_restreinte", True, ())

    @pytest.mark.parametrize(
        "changes",
        [
            {"marking": "secret"},
            {"marking": "tres_secret"},
            {"marking": "Confidentiel Défense"},
            {"marking": "NATO SECRET"},
            {"marking": "SECRET UE/EU SECRET"},
            {"marking": "VS-VERTRAULICH"},
            {"marking": "secret", "post": "paris"},
            {"marking": "secret", "marked_spans": "?"},
            {"marked_spans": [{"field": "body", "start": 0, "end": 3, "mark": "Très secret"}]},
            {"subject": "[SECRET] Retraites"},
            {"body": "SECRET DÉFENSE\n\nLe texte."},
            {"body": "SECRET DÉFENSE\n\nLe texte.", "post": "paris", "titre": "x"},
            {"attachments": ["TRÈS SECRET.pdf"]},
        ],
    )
    def test_a_classified_document_is_refused_and_nothing_of_it_repeated(
        self, changes: dict[str, Any]
    ) -> None:
        with pytest.raises(Refused) as error:
            read_note(raw(**changes))
        assert error.value.problem == refusal()

    def test_a_mark_that_is_no_text_is_a_wrong_field(self) -> None:
        assert "marking" in refusal_of(raw(marking=3))[1]
        assert "special_france" in refusal_of(raw(marking="rouge", special_france="oui"))[1]


class TestContentHash:
    def test_what_is_said_by_default_need_not_be_said(self) -> None:
        plain = read_note(raw())
        spelled = read_note(raw(genre="note", language="fr", addressees=[], author=None))
        assert content_hash(plain) == content_hash(spelled)

    def test_forms_of_the_same_text_are_the_same(self) -> None:
        composed = read_note(raw(subject="Réforme"))
        decomposed = read_note(raw(subject=" Re\u0301forme "))
        assert content_hash(composed) == content_hash(decomposed)

    @pytest.mark.parametrize(
        "changes",
        [
            {"subject": "Autre"},
            {"body": "Autre"},
            {"date": date(2026, 3, 9)},
            {"genre": "breve"},
            {"addressees": ("DSS",)},
            {"author": "Claire Martin"},
        ],
    )
    def test_every_field_counts(self, changes: dict[str, Any]) -> None:
        assert content_hash(a_note()) != content_hash(a_note(**changes))

    def test_a_guessed_date_does_not_count(self) -> None:
        guessed = frozenset({"date"})
        other = a_note(date=date(2026, 3, 9))
        assert content_hash(a_note(), guessed) == content_hash(other, guessed)
        assert content_hash(a_note(), guessed) != content_hash(a_note())

    def test_it_stays_the_same_from_release_to_release(self) -> None:
        """A registry that is in use holds such hashes: a change would make conflicts of them."""
        assert content_hash(a_note()) == FROZEN_HASH

    @given(st.permutations(list(BERLIN.items())))
    def test_the_order_of_the_fields_does_not_count(self, items: list[tuple[str, str]]) -> None:
        assert content_hash(read_note(json.dumps(dict(items)).encode())) == FROZEN_HASH


FROZEN_HASH = "3867be72275396efd02be00444dd18e8fce7bb8b73d63dd78626b62665cd99c8"


class TestHeaders:
    @pytest.mark.parametrize(
        "given_header",
        [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
        ],
    )
    def test_a_trace_is_passed_on(self, given_header: str) -> None:
        assert traceparent(given_header) == given_header

    @pytest.mark.parametrize(
        "given_header",
        [
            None,
            "",
            "x" * 55,
            "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ],
    )
    def test_anything_else_is_no_trace(self, given_header: str | None) -> None:
        assert traceparent(given_header) is None

    def test_only_the_date_may_be_guessed(self) -> None:
        assert defaulted_fields(None) == frozenset()
        assert defaulted_fields(" date ,") == {"date"}
        with pytest.raises(Refused):
            defaulted_fields("date, body")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
almost_notes = st.fixed_dictionaries(
    {name: st.just(value) | json_values for name, value in BERLIN.items()},
    optional={name: json_values for name in Note.model_fields if name not in BERLIN},
)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_a_note_or_refused(sent: bytes) -> None:
    with pytest.raises(Refused):
        read_note(sent)


@given(almost_notes | json_values)
def test_any_json_is_a_note_or_refused_in_french(value: Any) -> None:
    found = read(json.dumps(value).encode())
    if isinstance(found, Problem):
        assert found.status in {400, 422}
        assert len(found.model_dump_json()) < 20_000
    else:
        assert found.post in posts()
        # What was stored says the same when it is sent again.
        again = read_note(found.model_dump_json().encode())
        assert content_hash(again) == content_hash(found)


@given(st.text(min_size=1, max_size=300))
def test_no_complaint_leaks_english(text: str) -> None:
    for field in Note.model_fields:
        for value in (text, [text], {"x": text}, 3, 2.5, True, None):
            found = read(raw(**{field: value}))
            errors = found.errors if isinstance(found, Problem) else None
            for each in errors or []:
                assert text in each["detail"] or not ENGLISH.search(each["detail"]), each


def test_notes_dated_today_east_of_here_are_not_to_come() -> None:
    tomorrow = (NOW + timedelta(days=1)).date().isoformat()
    assert accept(raw(date=tomorrow), sender=a_caller(), now=NOW).warnings == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"declared_themes": ["x"] * 300_000},
        {"marked_spans": [{}] * 300_000},
        {"x": [[]] * 300_000},
        {f"champ{n}": 1 for n in range(100_000)},
    ],
)
def test_an_endless_list_is_refused_as_a_whole(fields: dict[str, object]) -> None:
    with pytest.raises(Refused) as refused:
        read_note(json.dumps(a_note().model_dump(mode="json") | fields).encode())
    assert refused.value.problem.status == 422
    assert len(refused.value.problem.errors or ()) == 1

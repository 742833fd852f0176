"""The protection of a note: the stricter of what is declared and of what its text bears."""

import pytest

from schemas.marks import NONE, Marks
from schemas.note import MarkedSpan, Note
from schemas.vocabulary import Marking
from services.runtime.marked_passages import look
from services.runtime.protection import Unmarkable, of_words, protected, words_to_mark
from tests.builders import a_note

OPEN = "La commission a remis son rapport, que le Parlement débattra cet été."


def of(subject: str, body: str, **fields: object) -> tuple[Note, tuple[str, ...]]:
    one = a_note(subject=subject, body=body, **fields)
    return protected(one, look(one.subject, one.body))


def test_a_passage_becomes_a_marked_span_and_its_sender_is_told_which_words() -> None:
    marked, (warning,) = of("Note", f"{OPEN}\n\n[SF] Le ministre cède.\n\n{OPEN}")
    (span,) = marked.marked_spans
    assert marked.body[span.start : span.end] == "[SF] Le ministre cède."
    assert (span.field, span.mark) == ("body", "special_france")
    assert (marked.marking, marked.special_france) == (Marking.NON_PROTEGE, False)
    assert warning == (
        "le passage « [SF] Le ministre cède. » porte la mention « SF » : il est spécial France"
    )


def test_a_doubtful_form_restricts_and_says_how_to_undo_it() -> None:
    marked, (warning,) = of("Négociation (DR)", OPEN)
    assert marked.marking is Marking.DIFFUSION_RESTREINTE
    assert warning.startswith("« DR » peut être une mention de protection : la note est en diff")
    assert "rectifier" in warning
    assert "« marked_spans »" in warning
    marked, (warning,) = of("Note", f"{OPEN}\n\nDR – Le ministre cède.\n\n{OPEN}")
    assert [span.mark for span in marked.marked_spans] == ["diffusion_restreinte"]
    assert "rectifier" in warning


def test_without_doubts_only_what_is_certain_counts() -> None:
    one = a_note(subject="Négociation (DR)", body=f"{OPEN}\n\n[SF] Le ministre cède.\n\n{OPEN}")
    marked, _ = protected(one, look(one.subject, one.body), doubts=False)
    assert marked.marking is Marking.NON_PROTEGE
    assert [span.mark for span in marked.marked_spans] == ["special_france"]


def test_the_strictest_wins_and_what_is_covered_is_not_said_again() -> None:
    body = f"{OPEN}\n\n[DR] Le ministre cède.\n\n{OPEN}"
    marked, told = of("Note", body, marking="diffusion_restreinte")
    assert (marked.marked_spans, told) == ((), ())
    once, _ = of("Note", body)
    again, told = of("Note", body, marked_spans=once.marked_spans)
    assert (again, told) == (once, ())
    wide = MarkedSpan(field="body", start=0, end=len(body), mark="special_france")
    both, _ = of("Note", body, marked_spans=(wide,))
    assert [span.mark for span in both.marked_spans] == ["special_france", "diffusion_restreinte"]


def test_a_passage_that_is_all_of_the_text_is_the_note() -> None:
    marked, _ = of("Note", f"Début Spécial France\n\n{OPEN}\n\nFin Spécial France")
    assert (marked.special_france, marked.marked_spans) == (True, ())


def test_what_the_document_bears_counts_too_and_nothing_is_told_where_nothing_changes() -> None:
    one = a_note(subject="Note", body=OPEN)
    assert protected(one, look("Note", OPEN)) == (one, ())
    marked, (warning,) = protected(one, look("Note", OPEN), Marks(special_france=True))
    assert marked.special_france
    assert "n’était pas déclarée" in warning
    assert protected(one, look("Note", OPEN), NONE)[0] is one


def test_of_more_passages_than_a_note_may_have_the_whole_is_protected() -> None:
    marked, _ = of("Note", f"{OPEN}\n\n" + "[SF] Le ministre cède.\n\nSuite.\n\n" * 1_001)
    assert marked.special_france
    assert marked.marked_spans == ()


def test_words_are_marked_where_they_stand_whatever_white_space_parts_them() -> None:
    one = a_note(subject="Note", body=f"{OPEN}\n\nLe ministre\u00a0cède\nsur l’âge légal.\n")
    (span,) = of_words(one, [{"mark": "SF", "words": " Le ministre cède sur  l’âge légal."}])
    assert one.body[span.start : span.end] == "Le ministre\u00a0cède\nsur l’âge légal."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Le ministre démissionne", "ne se trouve nulle part"),
        ("rapport", "se trouve plusieurs fois"),
        ("  ", "aucun mot"),
    ],
)
def test_words_that_do_not_stand_there_once_are_refused(words: str, said: str) -> None:
    one = a_note(subject="Rapport du rapport", body=OPEN)
    with pytest.raises(Unmarkable, match=said) as caught:
        of_words(one, [{"mark": "SF", "words": words}])
    assert caught.value.field == "marked_words.0"


@pytest.mark.parametrize("wrong", ["SF", [1], [{"mark": "SF"}], [{"mark": "SF", "words": 1}]])
def test_what_is_no_list_of_marks_and_words_is_refused(wrong: object) -> None:
    with pytest.raises(Unmarkable):
        words_to_mark({"marked_words": wrong})

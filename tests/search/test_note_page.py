"""The protection marks on a note's page: what is named, where, and what is left as it was."""

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.answers import State, Trace
from schemas.classification import Classification, CountryTag, Evidence
from schemas.events import ClassifiedNote
from schemas.marks import Marks, names, rights_of
from schemas.note import MarkedSpan, Note
from schemas.vocabulary import Marking, Role
from services.search.note_page import NotePage, note_page
from tests.builders import a_classified_note, a_note

RESTRICTED, FRENCH = "Diffusion restreinte", "Spécial France"


def shown(event: ClassifiedNote) -> NotePage:
    trace = Trace(id=event.note_id, revision=1, state=State.INDEXED, steps=[])
    return note_page(event, trace)


def span(start: int, end: int, mark: str, field: str = "body") -> MarkedSpan:
    return MarkedSpan.model_validate({"field": field, "start": start, "end": end, "mark": mark})


def page_of(body: str, *spans: MarkedSpan) -> NotePage:
    return shown(a_classified_note(a_note(body=body, marked_spans=spans)))


def runs(page: NotePage) -> list[list[tuple[str, str]]]:
    """Each block's runs: the mark's name and the text."""
    return [
        [(run.mention, "".join(piece.text for piece in run.pieces)) for run in block.runs]
        for block in page.body
    ]


@pytest.mark.parametrize(
    ("marking", "special_france", "wanted"),
    [
        (Marking.NON_PROTEGE, False, ()),
        (None, None, ()),
        (Marking.DIFFUSION_RESTREINTE, False, (RESTRICTED,)),
        ("diffusion_restreinte", True, (RESTRICTED, FRENCH)),
        (Marking.NON_PROTEGE, True, (FRENCH,)),
    ],
)
def test_marks_have_french_names(
    marking: str | None, special_france: bool | None, wanted: tuple[str, ...]
) -> None:
    assert names(marking, special_france) == wanted


def test_a_note_without_marks_names_none() -> None:
    page = page_of("Un texte.", span(0, 2, "non protégé"))
    assert (page.marks, page.passage_marks) == ((), ())
    assert runs(page) == [[("", "Un texte.")]]


def test_a_marked_passage_is_named_in_each_paragraph_that_it_reaches() -> None:
    page = page_of("Avant. Secret\n\nencore. Après.", span(7, 22, "SF"))
    assert page.passage_marks == (FRENCH,)
    assert runs(page) == [
        [("", "Avant. "), (FRENCH, "Secret")],
        [(FRENCH, "encore."), ("", " Après.")],
    ]


def test_passages_within_passages_bear_both_marks() -> None:
    page = page_of("abcdef", span(0, 6, "DR"), span(2, 4, "special_france"))
    both = f"{RESTRICTED}, {FRENCH}"
    assert runs(page) == [[(RESTRICTED, "ab"), (both, "cd"), (RESTRICTED, "ef")]]


def test_an_unknown_mark_is_named_as_written_with_what_it_is_taken_for() -> None:
    page = page_of("abcdef", span(0, 6, "Réservé <cabinet>"))
    written = "«\N{NO-BREAK SPACE}Réservé <cabinet>\N{NO-BREAK SPACE}»"
    assert page.passage_marks == (written, RESTRICTED, FRENCH)
    assert runs(page) == [[(f"{written}, {RESTRICTED}, {FRENCH}", "abcdef")]]


def test_a_marked_passage_of_the_subject_is_named_in_the_title() -> None:
    event = a_classified_note(a_note(subject="Visite du ministre", marked_spans=[
        span(10, 18, "DR", "subject"),
    ]))  # fmt: skip
    page = shown(event)
    assert [run.mention for run in page.title] == ["", RESTRICTED]
    assert [run.mention for run in page.marked_subject if run.mention] == [RESTRICTED]


def test_evidence_across_the_edge_of_a_passage_keeps_one_anchor_and_one_sign() -> None:
    body = "La réforme avance."
    evidence = Evidence(field="body", start=3, end=17, text=body[3:17], source="test:x")
    tag = CountryTag(country="DE", role=Role.ABOUT, score=0.9, evidence=(evidence,))
    event = a_classified_note(a_note(body=body, marked_spans=[span(0, 10, "DR")]))
    found = Classification(release=1, countries=(tag,))
    event = event.model_copy(update={"classification": found})
    (block,) = shown(event).body
    pieces = [(run.mention, piece) for run in block.runs for piece in run.pieces]
    assert [(mention, piece.text, piece.styles) for mention, piece in pieces] == [
        (RESTRICTED, "La ", ()),
        (RESTRICTED, "réforme", ("pays-about",)),
        ("", " avance", ("pays-about",)),
        ("", ".", ()),
    ]
    assert [piece.anchors for _, piece in pieces] == [(), ("passage-1",), (), ()]
    assert [len(piece.labels) for _, piece in pieces] == [0, 0, 1, 0]


@st.composite
def marked_notes(draw: st.DrawFn) -> Note:
    body = draw(st.text("ab \n\t<&", min_size=1, max_size=40).filter(str.strip))
    body = a_note(body=body).body
    found = []
    for mark in draw(st.lists(st.sampled_from(["DR", "SF", "non protégé", "x y z"]), max_size=5)):
        start = draw(st.integers(0, len(body) - 1))
        found.append(span(start, draw(st.integers(start + 1, len(body))), mark))
    return a_note(body=body, marked_spans=found)


@given(marked_notes())
def test_every_marked_letter_is_under_its_marks_and_no_other_is(note: Note) -> None:
    page = shown(a_classified_note(note))
    text = "".join(words for block in runs(page) for _, words in block)
    assert "".join(text.split()) == "".join(note.body.split())
    given = [
        mention for block in runs(page) for mention, words in block for _ in "".join(words.split())
    ]
    letters = [at for at, letter in enumerate(note.body) if not letter.isspace()]
    for at, mention in zip(letters, given, strict=True):
        over = [rights_of(one.mark) for one in note.marked_spans if one.start <= at < one.end]
        marks = reduce(lambda one, other: one | other, (Marks(*each) for each in over), Marks())
        wanted = names(marks.marking, marks.special_france)
        assert [name for name in mention.split(", ") if name and name[0] != "«"] == list(wanted)

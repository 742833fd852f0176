"""The text of a note cut for reading: nothing lost, nothing added, passages where they stand."""

from hypothesis import given
from hypothesis import strategies as st

from services.search.passages import Segment, Shape, Span, blocks, laid_out, marked

TEXTS = st.text(st.sampled_from("aé \n\t|<&\U0001f9f3"), max_size=60)
SPANS = st.lists(
    st.builds(Span, st.integers(-3, 70), st.integers(-3, 70), st.sampled_from(["p1", "p2", "p3"])),
    max_size=8,
)


@given(TEXTS, SPANS)
def test_the_segments_put_together_are_the_text(text: str, spans: list[Span]) -> None:
    segments = marked(text, spans)
    assert "".join(segment.text for segment in segments) == text
    assert all(text[one.start : one.end] == one.text for one in segments)


@given(TEXTS, SPANS)
def test_every_character_bears_the_tags_of_the_passages_over_it(
    text: str, spans: list[Span]
) -> None:
    for segment in marked(text, spans):
        for at in range(segment.start, segment.end):
            over = {span.tag for span in spans if span.start <= at < span.end}
            assert set(segment.tags) == over


@given(TEXTS, SPANS)
def test_every_passage_ends_once(text: str, spans: list[Span]) -> None:
    ends = {(tag, segment.end) for segment in marked(text, spans) for tag in segment.ends}
    inside = {
        (span.tag, min(span.end, len(text)))
        for span in spans
        if max(span.start, 0) < min(span.end, len(text))
    }
    assert ends == inside


@given(TEXTS, SPANS)
def test_the_blocks_hold_all_the_text_but_white_space(text: str, spans: list[Span]) -> None:
    shown = "".join(segment.text for _, pieces in laid_out(text, spans) for segment in pieces)
    assert "".join(shown.split()) == "".join(text.split())
    between = [text[a.end : b.start] for a, b in zip(blocks(text), blocks(text)[1:], strict=False)]
    assert all(not gap.strip() and gap.count("\n") >= 2 for gap in between)


def test_a_passage_inside_another_is_marked_for_both() -> None:
    spans = [Span(0, 9, "assurance maladie"), Span(4, 9, "maladie")]
    assert marked("assurance", spans) == [
        Segment(0, "assu", ("assurance maladie",), ()),
        Segment(4, "rance", ("assurance maladie", "maladie"), ("assurance maladie", "maladie")),
    ]


def test_a_passage_over_a_blank_line_is_marked_in_both_paragraphs() -> None:
    text = "Premier alinéa.\n\nSecond alinéa."
    shapes = laid_out(text, [Span(8, 23, "p")])
    assert [[(one.text, one.tags) for one in pieces] for _, pieces in shapes] == [
        [("Premier ", ()), ("alinéa.", ("p",))],
        [("Second", ("p",)), (" alinéa.", ())],
    ]


def test_lines_in_columns_are_a_table_and_dialogue_is_not() -> None:
    table = "Branche\tRecettes\nVieillesse\t394\nMaladie\t331"
    piped = "| Branche | Recettes |\n| Vieillesse | 394 |"
    prose = "Le rapport a été remis.\nIl compte 80 pages."
    assert [block.shape for block in blocks(f"{table}\n\n{piped}\n\n{prose}")] == [
        Shape.TABLE,
        Shape.TABLE,
        Shape.PARAGRAPH,
    ]


def test_a_long_report_with_thousands_of_passages_is_laid_out_in_no_time() -> None:
    text = "Un mot puis un autre.\n\n" * 20_000
    spans = [Span(at, at + 6, f"p{at}") for at in range(0, len(text), 40)]
    laid = laid_out(text, spans)
    assert len(laid) == 20_000

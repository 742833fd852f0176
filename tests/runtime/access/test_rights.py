"""What a caller may see of a note at hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.access import Caller, Role
from schemas.classification import Classification, Evidence, OrganisationTag, ThemeTag
from schemas.events import ClassifiedNote, Kind, ShortenedView, classified
from schemas.marks import needed
from schemas.note import MarkedSpan
from schemas.vocabulary import Marking
from services.runtime.access.rights import (
    EVERYTHING,
    HIDDEN,
    audience_for,
    event_for,
    hidden_spans,
    narrowed,
    narrows,
    note_for,
    sees_whole,
    sight_of,
)
from tests.builders import a_note, an_event
from tests.keys import ANYONE_READS, a_caller

RESTRICTED = {"marking": "diffusion_restreinte"}
CLEARED = a_caller(Role.READ, clearance="diffusion_restreinte", special_france=True)
BERLIN = a_caller(Role.SUBMIT, posts=frozenset({"berlin"}))


def test_a_reader_sees_what_its_clearance_admits() -> None:
    assert audience_for(ANYONE_READS, a_note()) == 0
    assert audience_for(ANYONE_READS, a_note(**RESTRICTED)) is None
    assert audience_for(ANYONE_READS, a_note(special_france=True)) is None
    assert audience_for(CLEARED, a_note(special_france=True, **RESTRICTED)) == EVERYTHING


def test_a_post_sees_its_own_notes_whole_and_no_other_ones() -> None:
    assert audience_for(BERLIN, a_note(special_france=True, **RESTRICTED)) == EVERYTHING
    assert audience_for(BERLIN, a_note(post="rome")) is None


def test_an_administrator_who_is_no_reader_reads_nothing() -> None:
    assert audience_for(a_caller(Role.ADMINISTER), a_note()) is None


def test_clearance_without_the_role_of_a_reader_opens_nothing() -> None:
    caller = Caller(id="key:1", name="x", roles=frozenset({Role.ADMINISTER}), reader=CLEARED.reader)
    assert audience_for(caller, a_note()) is None


CALLERS = [
    a_caller(*roles, clearance=clearance, special_france=french, posts=frozenset(posts))
    for roles, posts in (
        ((Role.READ,), ()),
        ((Role.SUBMIT,), ("berlin",)),
        ((Role.READ, Role.SUBMIT), ("berlin", "rome")),
        ((Role.SUBMIT,), ("*",)),
        ((Role.ADMINISTER,), ()),
    )
    for clearance in Marking
    for french in (False, True)
]


@pytest.mark.parametrize("post", ["berlin", "rome", "madrid"])
@pytest.mark.parametrize("marking", list(Marking))
@pytest.mark.parametrize("french", [False, True])
def test_among_many_notes_a_caller_sees_those_that_it_may_see_one_by_one(
    post: str, marking: Marking, french: bool
) -> None:
    note = a_note(post=post, marking=marking, special_france=french)
    for caller in CALLERS:
        sight = sight_of(caller)
        seen = needed(marking, french) in sight.needs or not sight.posts.isdisjoint({post, "*"})
        assert seen == (audience_for(caller, note) is not None), caller


def span(start: int, end: int, mark: str = "Spécial France", field: str = "body") -> MarkedSpan:
    return MarkedSpan(field=field, start=start, end=end, mark=mark)


def test_a_passage_is_replaced_whatever_its_length() -> None:
    note = a_note(body="Avant. Le secret. Après.", marked_spans=[span(7, 17)])
    assert note_for(note, 0).body == f"Avant. {HIDDEN} Après."
    assert note_for(note, 2) is note
    assert not sees_whole(ANYONE_READS, note)
    assert sees_whole(CLEARED, note)


def test_an_unknown_mark_is_the_strictest() -> None:
    note = a_note(marked_spans=[span(0, 5, "Réservé cabinet")])
    assert all(hidden_spans(note, audience) for audience in (0, 1, 2))
    assert hidden_spans(note, EVERYTHING) == ()


def test_passages_that_touch_are_one() -> None:
    body = "abcdefghij"
    note = a_note(body=body, marked_spans=[span(2, 4), span(4, 6), span(3, 5), span(8, 9)])
    assert note_for(note, 0).body == f"ab{HIDDEN}gh{HIDDEN}j"


def test_a_passage_of_which_a_part_is_hidden_keeps_its_mark() -> None:
    body = "abcdefghij"

    def marked(*spans: MarkedSpan) -> list[tuple[str, str]]:
        seen = note_for(a_note(body=body, marked_spans=spans), 1)
        return [(seen.body[each.start : each.end], each.mark) for each in seen.marked_spans]

    restricted = span(2, 8, "DR")
    assert marked(restricted, span(4, 6)) == [(f"cd{HIDDEN}gh", "DR")]
    assert marked(restricted, span(0, 4)) == [("efgh", "DR")]
    assert marked(restricted, span(7, 9)) == [("cdefg", "DR")]
    assert marked(restricted, span(0, 3), span(7, 9)) == [("defg", "DR")]
    assert marked(restricted, span(2, 8)) == marked(restricted, span(0, 10)) == []
    assert marked(restricted, span(0, 2), span(8, 10)) == [("cdefgh", "DR")]


def evidence(body: str, start: int, end: int, source: str) -> Evidence:
    return Evidence(field="body", start=start, end=end, text=body[start:end], source=source)


def test_a_tag_that_only_the_passage_speaks_for_goes_with_it() -> None:
    body = "hôpital, vaccin, OMS"
    note = a_note(body=body, marked_spans=[span(9, 20)])
    event = an_event(note)
    found = Classification(
        release=1,
        themes=(
            ThemeTag(
                theme="sante",
                subthemes=("hopital", "vaccination"),
                score=0.9,
                evidence=(
                    evidence(body, 9, 15, "lexicon:sante.vaccination"),
                    evidence(body, 0, 7, "lexicon:sante.hopital"),
                ),
            ),
        ),
        organisations=(OrganisationTag(id="OMS", evidence=(evidence(body, 17, 20, "org"),)),),
    )
    seen = event_for(classified(event, found, event.at), 0).classification
    assert seen.organisations == ()
    assert [(tag.subthemes, len(tag.evidence)) for tag in seen.themes] == [(("hopital",), 1)]


def test_a_view_that_was_classified_is_shown_with_its_own_tags_and_no_other_ones() -> None:
    body = "hôpital, vaccin, OMS"
    note = a_note(body=body, marked_spans=[span(9, 15), span(17, 20, "DR")])
    event = an_event(note)
    mine, others, whole = (
        Classification(release=1, themes=(ThemeTag(theme=theme, score=0.5, evidence=()),))
        for theme in ("sante", "travail", "protection_sociale")
    )
    views = (
        ShortenedView(hidden=(0,), classification=others),
        ShortenedView(hidden=(0, 1), classification=mine),
    )
    seen = event_for(classified(event, whole, event.at, views), 0)
    assert seen.classification == mine
    assert seen.views == ()


def test_what_a_rectification_keeps_from_whom() -> None:
    body = "un deux un trois"
    note = a_note(body=body)
    for later, audiences in (
        (note, ()),
        (a_note(body="autre"), ()),
        (a_note(body=body, special_france=True), (0, 1)),
        (a_note(body=body, **RESTRICTED), (0, 2)),
        (a_note(body=body, marked_spans=[span(0, 2)]), (0, 1)),
        (a_note(body=body, marked_spans=[span(0, 2, "non protégé")]), ()),
    ):
        found = [each for each in range(4) if narrowed(note, later, each)]
        assert tuple(found) == audiences
        assert narrows(note, an_event(later)) == bool(audiences)
    assert narrows(note, an_event(note, kind=Kind.WITHDRAWN))
    # Marked as it was: no less is seen. Once more, or elsewhere where it is said twice: less.
    once = a_note(body="un deux", marked_spans=[span(0, 2)])
    moved = a_note(body="fin, un", marked_spans=[span(5, 7)])
    assert not narrows(once, an_event(moved))
    marked = a_note(body=body, marked_spans=[span(0, 2)])
    for spans in ([span(0, 2), span(8, 10)], [span(8, 10)]):
        assert narrows(marked, an_event(a_note(body=body, marked_spans=spans)))
    # Who could not see the note loses nothing.
    hidden = a_note(special_france=True)
    assert not narrows(hidden, an_event(a_note(special_france=True, marked_spans=[span(0, 2)])))


bodies = st.text(alphabet="abcé𝒜 \n", min_size=1, max_size=60).filter(str.strip)


@st.composite
def cut_notes(draw: st.DrawFn) -> tuple[ClassifiedNote, int]:
    body = draw(bodies)
    note = a_note(body=body)
    body = note.body
    places = st.tuples(st.integers(0, len(body) - 1), st.integers(1, len(body))).filter(
        lambda pair: pair[0] < pair[1]
    )
    marks = st.sampled_from(["diffusion_restreinte", "special_france", "inconnue", "non_protege"])
    spans = draw(st.lists(st.builds(lambda p, m: span(*p, m), places, marks), max_size=5))
    passages = draw(st.lists(places, min_size=1, max_size=5))
    found = Classification(
        release=1,
        organisations=(
            OrganisationTag(
                id="X", evidence=tuple(evidence(body, *place, "org") for place in passages)
            ),
        ),
    )
    event = an_event(a_note(body=body, marked_spans=spans))
    return classified(event, found, event.at), draw(st.integers(0, EVERYTHING))


@given(cut_notes())
def test_what_is_left_is_in_its_place_and_nothing_else_is_left(
    case: tuple[ClassifiedNote, int],
) -> None:
    event, audience = case
    body = event.note.body
    hidden = {
        at for each in hidden_spans(event.note, audience) for at in range(each.start, each.end)
    }
    seen = event_for(event, audience)
    left = "".join(
        HIDDEN if at in hidden and at - 1 not in hidden else "" if at in hidden else letter
        for at, letter in enumerate(body)
    )
    assert seen.note.body == left
    kept = [each for tag in seen.classification.organisations for each in tag.evidence]
    assert all(each.text == seen.note.body[each.start : each.end] for each in kept)
    (tag,) = event.classification.organisations
    assert [each.text for each in kept] == [
        each.text for each in tag.evidence if hidden.isdisjoint(range(each.start, each.end))
    ]
    for each in seen.note.marked_spans:
        assert 0 <= each.start < each.end <= len(seen.note.body)
    assert [
        (each.mark, seen.note.body[each.start : each.end].replace(HIDDEN, ""))
        for each in seen.note.marked_spans
    ] == [
        (each.mark, visible)
        for each in event.note.marked_spans
        if each not in hidden_spans(event.note, audience)
        and (visible := "".join(body[at] for at in range(each.start, each.end) if at not in hidden))
    ]

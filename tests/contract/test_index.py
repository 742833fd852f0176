"""What any note index promises, asked of tantivy and of Elasticsearch alike."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import ClassifiedNote, CorrectionTags, Kind
from schemas.note import MarkedSpan, note_id
from schemas.query import Query, Reader, Sort
from schemas.vocabulary import Marking
from services.runtime.settings import Settings
from services.search.index import (
    FACETS,
    FRAGMENTS,
    SNIPPET,
    Applied,
    CursorExpired,
    CursorInvalid,
    Index,
    Page,
    Rejected,
)
from services.search.index.embedded import TantivyIndex
from tests.builders import a_classified_note, a_note
from tests.contract.index_places import on_elasticsearch, on_tantivy
from tests.search.index.corpus import ABROAD, CLEARED, RECEIVED, ROWS, asked, corpus, reference


@pytest.fixture
async def library(index: Index) -> Index:
    """The index with the corpus in it."""
    outcomes = await index.apply(corpus())
    assert set(outcomes) == {Applied.INDEXED}
    await index.refresh()
    return index


def keys(page: Page) -> list[str]:
    """The corpus keys of the hits, in their order."""
    return [hit.reference.rpartition("-")[2] for hit in page.hits]


async def found(index: Index, words: str = "", **filters: Any) -> set[str]:
    page = await index.search(asked(words, **filters))
    assert page.total == len(page.hits), "the page holds all hits of these tests"
    return set(keys(page))


async def strictly(index: Index, words: str, **filters: Any) -> set[str]:
    """What has all the words: a relaxed page counts as nothing."""
    page = await index.search(asked(words, **filters))
    return set() if page.relaxed else set(keys(page))


def state(revision: int = 1, *, release: int = 1, **changes: Any) -> ClassifiedNote:
    """A state of Berlin's note on pensions."""
    return a_classified_note(a_note(), revision=revision, release=release, **changes)


# States of a note


async def test_a_note_is_found_once_however_often_its_event_arrives(index: Index) -> None:
    note = state()
    assert await index.apply([note, note]) == [Applied.INDEXED, Applied.DUPLICATE]
    assert await index.apply([note]) == [Applied.DUPLICATE]
    await index.refresh()
    assert await index.count() == 1
    assert (await index.search(asked("retraites"))).total == 1


async def test_an_older_revision_that_comes_late_changes_nothing(index: Index) -> None:
    newer = state(2, kind=Kind.RECTIFIED)
    assert await index.apply([newer]) == [Applied.INDEXED]
    assert await index.apply([state(1), state(2, release=1)]) == [Applied.STALE, Applied.DUPLICATE]
    assert await index.get(newer.note_id) == newer


async def test_the_highest_state_of_a_batch_wins_in_whatever_order(index: Index) -> None:
    states = [state(1), state(3), state(2), state(3), state(4)]
    assert await index.apply(states) == [
        Applied.INDEXED,
        Applied.INDEXED,
        Applied.STALE,
        Applied.DUPLICATE,
        Applied.INDEXED,
    ]
    assert await index.get(states[0].note_id) == states[4]
    await index.refresh()
    assert await index.count() == 1


async def test_a_better_classifier_replaces_the_tags_but_not_a_newer_revision(
    index: Index,
) -> None:
    await index.apply([state(1, release=7, themes=("travail",))])
    assert await index.apply([state(1, release=8, themes=("sante",))]) == [Applied.INDEXED]
    assert await index.apply([state(1, release=7, themes=("travail",))]) == [Applied.STALE]
    assert await index.apply([state(2, release=1, themes=())]) == [Applied.INDEXED]
    await index.refresh()
    assert (await index.search(asked(theme=["sante"]))).total == 0
    assert (await index.search(asked())).total == 1


async def test_a_withdrawn_note_stays_withdrawn_whatever_comes_late(index: Index) -> None:
    withdrawal = state(2, kind=Kind.WITHDRAWN)
    assert await index.apply([state(1), withdrawal]) == [Applied.INDEXED, Applied.WITHDRAWN]
    assert await index.apply([state(1, release=9), withdrawal]) == [
        Applied.STALE,
        Applied.DUPLICATE,
    ]
    await index.refresh()
    for query in (asked(), asked("retraites"), asked(theme=["protection_sociale"])):
        page = await index.search(query)
        assert (page.total, page.hits) == (0, [])
        assert not any(page.facets.values())
    assert await index.count() == 0
    kept = await index.get(withdrawal.note_id)
    assert kept == withdrawal
    assert kept.withdrawn


async def test_a_withdrawn_note_can_be_sent_again_under_a_higher_revision(index: Index) -> None:
    await index.apply([state(1), state(2, kind=Kind.WITHDRAWN)])
    assert await index.apply([state(3)]) == [Applied.INDEXED]
    await index.refresh()
    assert await index.count() == 1
    assert (await index.search(asked("retraites"))).total == 1


async def test_an_expunged_note_leaves_no_trace_and_may_come_back(index: Index) -> None:
    note = state(5)
    other = a_classified_note(a_note(reference="BER-2026-0143"))
    await index.apply([note, other])
    await index.forget([note.note_id, uuid4()])
    await index.refresh()
    assert await index.get(note.note_id) is None
    assert await index.count() == 1
    assert await index.apply([state(1)]) == [Applied.INDEXED]
    await index.refresh()
    assert await index.count() == 2


async def test_only_what_stands_before_a_revision_is_forgotten(index: Index) -> None:
    before, there = state(1), a_classified_note(a_note(reference="BER-2026-0143"), revision=2)
    await index.apply([before, there])
    await index.forget_before({before.note_id: 2, there.note_id: 2, uuid4(): 2})
    await index.forget_before({})
    await index.refresh()
    assert await index.get(before.note_id) is None
    assert await index.get(there.note_id) == there
    assert await index.count() == 1
    assert await index.apply([state(2)]) == [Applied.INDEXED]
    await index.refresh()
    assert await index.count() == 2


async def test_a_note_that_cannot_be_indexed_stops_no_other(index: Index) -> None:
    """A lone half of a character has no UTF-8: no engine can take it."""
    good = [a_classified_note(a_note(reference=f"BER-{n}")) for n in range(3)]
    bad = a_classified_note(a_note(reference="BER-BAD"))
    bad = bad.model_copy(update={"note": bad.note.model_copy(update={"body": "moitié \ud800"})})
    outcomes = await index.apply([good[0], bad, good[1], good[2]])
    assert [type(outcome) for outcome in outcomes] == [Applied, Rejected, Applied, Applied]
    assert isinstance(outcomes[1], Rejected)
    assert outcomes[1].reason
    await index.refresh()
    assert await index.count() == 3
    assert await index.get(bad.note_id) is None


async def test_nothing_to_apply_and_nothing_to_forget_is_fine(index: Index) -> None:
    assert await index.apply([]) == []
    await index.forget([])
    assert await index.count() == 0
    assert await index.get(uuid4()) is None
    assert await index.ready()
    page = await index.search(asked("retraites chômage"))
    assert (page.total, page.relaxed, page.next, set(page.facets)) == (0, False, None, set(FACETS))


async def test_a_note_is_seen_by_itself_within_a_few_seconds(index: Index) -> None:
    assert (await index.search(asked("retraites"))).total == 0
    await index.apply([state()])
    async with asyncio.timeout(10):
        while not (await index.search(asked("retraites"))).total:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_the_stamp_of_a_page_changes_when_its_notes_do_and_only_then(index: Index) -> None:
    feed = asked("", theme=("protection_sociale",), sort=Sort.RECEIVED)
    empty = await index.stamp(feed)
    await index.apply([state(1)])
    await index.refresh()
    first = await index.stamp(feed)
    assert first != empty
    assert await index.stamp(feed) == first
    await index.apply([state(1)])
    await index.refresh()
    assert await index.stamp(feed) == first, "a duplicate changes nothing"
    await index.apply([state(2)])
    await index.refresh()
    second = await index.stamp(feed)
    assert second != first
    await index.apply([state(3, kind=Kind.WITHDRAWN)])
    await index.refresh()
    assert await index.stamp(feed) == empty


async def test_an_index_keeps_its_generation_from_one_start_to_the_next(index: Any) -> None:
    await index.apply([state(1, kind=Kind.WITHDRAWN)])
    await index.stop()
    again = type(index)(_origin(index))
    await again.start()
    assert again.generation == index.generation != ""
    assert await again.get(state().note_id) is not None
    await again.stop()


def _origin(index: Any) -> Any:
    if isinstance(index, TantivyIndex):
        return index.path
    node = next(iter(index._client.transport.node_pool.all()))
    return Settings(elasticsearch=node.base_url, index=index._names.read)


# Words


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("retraites", {"RENTE", "DUBLIN", "HUKOU"}),
        ("RETRAITE", {"RENTE", "DUBLIN", "HUKOU"}),
        ("deces", {"PFLEGE"}),
        ("décès", {"PFLEGE"}),
        ("hopital", {"NHS"}),
        ("l'emploi", {"MINDESTLOHN"}),
        ("L’emploi", {"MINDESTLOHN"}),
        ("emploi", {"MINDESTLOHN"}),
        ("d'assurance", {"PFLEGE", "AMO", "PALAIS"}),
        ("irlandais", {"NHS", "DUBLIN"}),
        ("irlandaise", {"NHS", "DUBLIN"}),
        ("polonais", {"DETACHES"}),
        ("polonaise", {"DETACHES"}),
        ("emplois", {"MINDESTLOHN"}),
        ("infirmier", {"NHS"}),
        ("salariée", {"RIDERS", "DUBLIN"}),
        ("québécoise", {"CPE"}),
        ("loi", {"RIDERS"}),
        ("palais", {"PALAIS"}),
        ("médicament", {"MEDICARE"}),
        ("aujourd’hui", {"RIDERS"}),
        ("oeuvre", {"CPE"}),
        ("Œuvre", {"CPE"}),
        ("退休", {"HUKOU"}),
        ("indépendants cliniques", {"AMO"}),
        ("1,5 milliard", {"PFLEGE"}),
    ],
)
async def test_a_reader_finds_a_word_in_its_forms(
    library: Index, typed: str, wanted: set[str]
) -> None:
    assert await strictly(library, typed) == wanted


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("retraite allemande", {"RENTE"}),
        ("Pacte accord", {"PACTO"}),
        ('"accord de branche"', {"PACTO"}),
        ('"branche accord"', set()),
        ('"assurance maladie"', {"AMO"}),
        ("assurance-maladie", {"AMO"}),
        ('"réforme des retraites"', {"RENTE"}),
        ('"l\'inspection du travail"', {"RIDERS"}),
        ('"âge de départ"', {"RENTE", "HUKOU"}),
        ('"l’âge de départ', {"RENTE", "HUKOU"}),
        ('"hépatite C"', {"MEDICARE"}),
        ('"hépatite D"', set()),
        ("retraite -Chine", {"RENTE", "DUBLIN"}),
        ('âge -"deux paliers" -commission', {"HUKOU"}),
        ("-retraite -pension -travail", None),
        ("grippe OU hépatite", {"OMS", "MEDICARE"}),
        ("retraite Chine OU Irlande", {"HUKOU", "DUBLIN"}),
        ('"temps partiel" | coursier', {"SJUK", "RIDERS"}),
        ("chomage", {"MINDESTLOHN", "PALAIS"}),
    ],
)
async def test_a_reader_combines_words(library: Index, typed: str, wanted: set[str] | None) -> None:
    if wanted is None:
        everything = {row.key for row in ROWS}
        wanted = everything - {"RENTE", "DUBLIN", "HUKOU", "PACTO", "RIDERS", "SJUK", "AUH"}
    assert await strictly(library, typed) == wanted


@pytest.mark.parametrize(
    "typed", ["", "le", "de la des", "!?", "« »", '"de la"', "-le", "le OU la"]
)
async def test_words_that_say_nothing_find_every_note(library: Index, typed: str) -> None:
    assert len(await found(library, typed)) == len(ROWS)


@pytest.mark.parametrize("typed", ["ROM-2025-ASILI", "rom-2025-asili", "2025 asili", "ASILI"])
async def test_a_reader_finds_a_note_by_its_reference_or_a_part_of_it(
    library: Index, typed: str
) -> None:
    assert await strictly(library, typed) == {"ASILI"}


async def test_when_no_note_has_all_the_words_some_of_them_do(library: Index) -> None:
    page = await library.search(asked("cantine pandémie -Argentine"))
    assert (page.relaxed, page.total, set(keys(page))) == (True, 2, {"CANTINE", "OMS"})
    page = await library.search(asked("cantine pandémie -grippe"))
    assert (page.relaxed, set(keys(page))) == (True, {"CANTINE"})
    page = await library.search(asked("cantine pandémie", sort=Sort.DATE))
    assert (page.relaxed, keys(page)) == (True, ["CANTINE", "OMS"])


@pytest.mark.parametrize(
    "typed",
    ['"cantine fermée" "pandémie lente"', "xylophone", "xylophone cithare", "cantine -midi"],
)
async def test_nothing_found_is_nothing_found(library: Index, typed: str) -> None:
    page = await library.search(asked(typed))
    assert (page.total, page.relaxed, page.hits) == (0, False, [])


async def test_the_note_about_the_words_comes_before_those_that_mention_them(
    library: Index,
) -> None:
    assert keys(await library.search(asked("pensions"))) == ["PACTO", "RENTE"]
    page = await library.search(asked("pensions", reader=CLEARED))
    assert keys(page) == ["PACTO", "RENTE"], "in the subject, then in the body"
    scores = [hit.score for hit in page.hits]
    assert all(score is not None for score in scores)
    assert scores == sorted(scores, reverse=True)


async def test_the_form_typed_comes_before_its_other_forms(index: Index) -> None:
    await index.apply(
        [
            a_classified_note(a_note(reference="A", subject="Note", body="Il est interné.")),
            a_classified_note(a_note(reference="B", subject="Note", body="Le droit interne.")),
        ]
    )
    await index.refresh()
    for typed, first in (("interne", "B"), ("interné", "A")):
        page = await index.search(asked(typed))
        assert page.hits[0].reference == first
        assert page.total == 2


@given(
    typed=st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(
                [*'" - | ( ) * ~2 ^ / \\ … _ [a l’ é 1,5 退休 İ 😀 s:', "OU", "l’âge"]
            )
        ).map("".join),
    )
)  # fmt: skip
@settings(max_examples=40)
async def test_no_words_that_a_reader_types_are_an_error(library: Index, typed: str) -> None:
    page = await library.search(Query(reader=CLEARED, words=typed[:200], size=3))
    assert 0 <= page.total <= len(ROWS)


# Other languages


@pytest.fixture
async def abroad(index: Index) -> Index:
    """The index with notes in six languages, one of them French."""
    assert set(await index.apply(corpus(ABROAD))) == {Applied.INDEXED}
    await index.refresh()
    return index


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("pensions", {"WHITEPAPER"}),
        ("the who", {"WHITEPAPER"}),
        ('"the WHO"', {"WHITEPAPER"}),
        ('"who the"', set()),
        ("pension", {"WHITEPAPER"}),
        ("union", set()),
        ("don't", {"WHITEPAPER"}),
        ("don’t treasury", {"WHITEPAPER"}),
        ("Treasury", {"WHITEPAPER"}),
        ("rente", {"RENTENPAKET", "RENTES"}),
        ("renten", {"RENTENPAKET"}),
        ("rentes", {"RENTES"}),
        ("gratification", {"RENTES"}),
        ("hohere", {"RENTENPAKET"}),
        ("STRASSENFEST", {"RENTENPAKET"}),
        ("jubilacion", {"JUBILACION"}),
        ("Jubilación anticipada", {"JUBILACION"}),
        ("jubilaciones", set()),
        ("12,5", {"JUBILACION"}),
        ('"del sur"', {"JUBILACION"}),
        ("mes reforma", {"JUBILACION", "RENTES"}),
        ("invalidita", {"INVALIDITA"}),
        ("assicurazione", {"INVALIDITA"}),
        ("l'assicurazione", set()),
        ('"dell\'assicurazione"', {"INVALIDITA"}),
        ("养老金", {"YANGLAO"}),
        ("金养", set()),
        ("MAD-2026-JUBILACION", {"JUBILACION"}),
        ("BER-2026 renten", {"RENTENPAKET"}),
        ("BER-2026 rentes", set()),
        ("riforma OU réforme OU reforma", {"INVALIDITA", "RENTES", "JUBILACION"}),
        ("riforma | reforma -sur", {"INVALIDITA", "RENTES"}),
        ("rente -gratifications", {"RENTENPAKET"}),
        ("rente -Gratifikation", {"RENTES"}),
        ("2026 -renten -jubilación", {"WHITEPAPER", "INVALIDITA", "YANGLAO", "RENTES"}),
    ],
)
async def test_a_note_in_another_language_is_found_by_its_own_words(
    abroad: Index, typed: str, wanted: set[str]
) -> None:
    assert await strictly(abroad, typed) == wanted


async def test_its_words_are_marked_as_they_stand(abroad: Index) -> None:
    (hit,) = (await abroad.search(asked("jubilacion reforma"))).hits
    assert hit.highlights.subject == (
        "<mark>Jubilación</mark>: el mes de la <mark>reforma</mark> en el sur",
    )
    assert hit.highlights.body == (
        "La <mark>jubilación</mark> anticipada baja un 12,5 %. Los sindicatos del sur protestan.",
    )
    (hit,) = (await abroad.search(asked('"d\'invalidità"'))).hits
    assert hit.highlights.subject == ("Assegni <mark>d&#x27;invalidità</mark>: la riforma",)
    (hit,) = (await abroad.search(asked("the pension"))).hits
    assert hit.highlights.subject == (
        "Pensions: <mark>the</mark> WHO and <mark>the</mark> Treasury disagree",
    )


async def test_a_search_in_french_marks_each_note_in_its_own_way(abroad: Index) -> None:
    hits = {hit.post: hit for hit in (await abroad.search(asked("la rente"))).hits}
    assert set(hits) == {"bruxelles"}, "in German « la » would be a word"
    hits = {hit.post: hit for hit in (await abroad.search(asked("rente"))).hits}
    assert "<mark>rentes</mark>" in hits["bruxelles"].highlights.subject[0]
    assert hits["berlin"].highlights.subject == ()
    assert "Die <mark>Rente</mark> steigt" in hits["berlin"].highlights.body[0]


async def test_facets_and_totals_count_all_languages_together(abroad: Index) -> None:
    page = await abroad.search(asked("rente"))
    counted = {count.value: count.count for count in page.facets["country"]}
    assert (page.total, counted) == (2, {"DE": 1, "BE": 1})
    page = await abroad.search(asked("xylophon renten OU rentes"))
    assert (page.relaxed, set(keys(page))) == (True, {"RENTENPAKET", "RENTES"})


async def test_what_is_hidden_in_another_language_is_not_found_there_either(index: Index) -> None:
    body = "The minister resigned. The pensions bill passed."
    secret = MarkedSpan(field="body", start=0, end=22, mark="diffusion_restreinte")
    note = a_note(subject="Report", body=body, language="en", marked_spans=[secret])
    await index.apply([a_classified_note(note)])
    await index.refresh()
    for typed, everybody in (("minister", 0), ("pensions", 1)):
        assert (await index.search(asked(typed))).total == everybody
        (hit,) = (await index.search(asked(typed, reader=CLEARED))).hits
        assert f"<mark>{typed}</mark>" in hit.highlights.body[0]


async def test_a_hit_has_the_marks_of_its_note(index: Index) -> None:
    marks = {"marking": "diffusion_restreinte", "special_france": True}
    span = MarkedSpan(field="body", start=0, end=5, mark="SF")
    await index.apply(
        [
            a_classified_note(a_note(reference="A", **marks)),
            # Marked in part, restricted as a whole: each view has the mark of the whole.
            a_classified_note(a_note(reference="B", marking=marks["marking"], marked_spans=[span])),
            a_classified_note(a_note(reference="C")),
        ]
    )
    await index.refresh()

    async def shown(**reader: Any) -> dict[str, Any]:
        page = await index.search(asked(reader=Reader(name="test", **reader)))
        return {hit.reference: (hit.marking, hit.special_france) for hit in page.hits}

    both = ["non_protege", "diffusion_restreinte"]
    partly = {"B": ("diffusion_restreinte", False), "C": ("non_protege", False)}
    assert await shown(markings=both) == partly
    assert await shown(markings=both, special_france=True) == partly | {
        "A": ("diffusion_restreinte", True)
    }
    assert await shown() == {"C": ("non_protege", False)}


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"language": ["de", "it"]}, {"RENTENPAKET", "INVALIDITA"}),
        ({"language": ["ger"]}, {"RENTENPAKET"}),
        ({"language_not": ["fr", "zh"]}, {"WHITEPAPER", "RENTENPAKET", "JUBILACION", "INVALIDITA"}),
        ({"language": ["pt"]}, set()),
    ],
)
async def test_a_reader_filters_by_language(
    abroad: Index, filters: dict[str, Any], wanted: set[str]
) -> None:
    assert await found(abroad, **filters) == wanted


async def test_the_languages_of_what_is_found_are_counted(abroad: Index) -> None:
    page = await abroad.search(asked("rente", language=["de"]))
    assert {count.value: count.count for count in page.facets["language"]} == {"de": 1, "fr": 1}
    assert [hit.language for hit in page.hits] == ["de"]


async def test_a_note_that_is_rectified_in_another_language_changes_its_words(
    index: Index,
) -> None:
    french = a_note(subject="Les retraites", body="Un texte.")
    english = a_note(subject="Retirement", body="A text.", language="en")
    for revision, note in enumerate((french, english, french), start=1):
        await index.apply([a_classified_note(note, revision=revision)])
        await index.refresh()
        found = [
            (await index.search(asked(typed))).total
            for typed in ("retraite", "retirement", "retirements")
        ]
        assert found == ([1, 0, 0] if note is french else [0, 1, 0])
        kept = await index.get(note.id)
        assert kept is not None
        assert (kept.note.subject, kept.note.body) == (note.subject, note.body)


# Filters and facets


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"theme": ["sante"]}, {"PFLEGE", "NHS", "SJUK", "MEDICARE", "OMS"}),
        ({"theme": ["sante"], "theme_not": ["travail"]}, {"PFLEGE", "NHS", "MEDICARE", "OMS"}),
        ({"subtheme": ["hopital"]}, {"PFLEGE", "NHS"}),
        (
            {"subtheme": ["hopital", "vaccination"], "subtheme_not": ["dependance"]},
            {"NHS", "MEDICARE"},
        ),
        ({"country": ["IE"]}, {"DUBLIN"}),
        ({"country_any": ["IE"]}, {"DUBLIN", "NHS"}),
        ({"country_any": ["IE"], "country_not": ["IE"]}, {"NHS"}),
        ({"country": ["CL", "MA"]}, {"AUH", "AMO"}),
        ({"post": ["berlin", "geneve"], "theme_not": ["travail"]}, {"RENTE", "PFLEGE", "OMS"}),
        ({"post_not": [row.post for row in ROWS if row.post != "rome"]}, {"ASILI"}),
        ({"genre": ["breve"]}, {"RIDERS", "ASILI", "CPE"}),
        ({"genre": ["bulletin"], "genre_not": ["bulletin"]}, set()),
        ({"year": [2024]}, {"PFLEGE", "PALAIS"}),
        ({"date_from": date(2026, 3, 4)}, {"RENTE", "MEDICARE"}),
        ({"date_from": date(2026, 3, 1), "date_to": date(2026, 3, 1)}, {"DETACHES"}),
        ({"date_to": date(2024, 1, 1)}, {"PALAIS"}),
        (
            {"date_from": date.min, "date_to": date.max, "theme": ["sante"], "year": [2024]},
            {"PFLEGE"},
        ),
        ({"received_from": RECEIVED.date() + timedelta(days=1)}, set()),
        ({"received_to": RECEIVED.date() - timedelta(days=1)}, set()),
        ({"received_from": date.min, "received_to": date.max, "genre": ["rapport"]}, {"AUH"}),
        (
            {
                "received_from": RECEIVED.date(),
                "received_to": RECEIVED.date(),
                "genre": ["rapport"],
            },
            {"AUH"},
        ),
    ],
)
async def test_a_reader_filters(library: Index, filters: dict[str, Any], wanted: set[str]) -> None:
    assert await found(library, **filters) == wanted


async def test_a_day_of_receipt_ends_at_midnight(index: Index) -> None:
    midnight = RECEIVED.replace(hour=0)
    moments = [midnight - timedelta(microseconds=1), midnight, midnight + timedelta(hours=24)]
    await index.apply(
        [
            a_classified_note(a_note(reference=f"N{n}"), received_at=moment)
            for n, moment in enumerate(moments)
        ]
    )
    await index.refresh()
    page = await index.search(asked(received_from=midnight.date(), received_to=midnight.date()))
    assert [hit.reference for hit in page.hits] == ["N1"]
    assert page.hits[0].received_at == midnight


def counted(page: Page, facet: str) -> dict[str, int]:
    return {row.value: row.count for row in page.facets[facet]}


async def test_facets_count_what_is_found(library: Index) -> None:
    page = await library.search(asked("retraite"))
    assert counted(page, "theme") == {"protection_sociale": 3, "travail": 1}
    assert counted(page, "subtheme") == {
        "protection_sociale.retraites": 3,
        "travail.travail_informel": 1,
    }
    assert counted(page, "country") == {"DE": 1, "IE": 1, "CN": 1}
    assert counted(page, "post") == {"berlin": 1, "londres": 1, "pekin": 1}
    assert counted(page, "genre") == {"note": 2, "synthese": 1}
    assert counted(page, "year") == {"2026": 2, "2025": 1}
    assert [row.value for row in page.facets["country"]] == ["CN", "DE", "IE"], "ties by value"


async def test_a_facet_counts_without_its_own_filter(library: Index) -> None:
    page = await library.search(asked(theme=["sante"], year=[2026]))
    assert set(keys(page)) == {"NHS", "MEDICARE"}
    assert counted(page, "theme") == {"protection_sociale": 4, "travail": 2, "sante": 2}
    assert counted(page, "year") == {"2025": 2, "2026": 2, "2024": 1}
    assert counted(page, "post") == {"londres": 1, "washington": 1}
    assert page.total == 2


async def test_every_facet_agrees_with_the_search_it_offers(library: Index) -> None:
    chosen = {"post": ["berlin", "madrid", "londres"], "genre": ["note", "breve"]}
    page = await library.search(asked(**chosen))
    for facet in FACETS:
        others = {name: values for name, values in chosen.items() if name != facet}
        for row in page.facets[facet]:
            narrowed = await library.search(asked(**others | {facet: [row.value]}))
            assert narrowed.total == row.count, (facet, row.value)


async def test_a_readers_correction_replaces_the_tags(index: Index) -> None:
    await index.apply([state(1, themes=("travail.emploi",), about=("FR",))])
    corrected = state(
        1,
        correction=1,
        kind=Kind.CORRECTED,
        themes=("travail.emploi",),
        about=("FR",),
        correction_tags=CorrectionTags(themes=("sante.hopital", "sante"), countries=("DE",)),
    )
    assert await index.apply([corrected]) == [Applied.INDEXED]
    await index.refresh()
    assert (await index.search(asked(theme=["travail"]))).total == 0
    hit = (await index.search(asked(subtheme=["sante.hopital"], country=["DE"]))).hits[0]
    assert [(tag.theme, tag.subthemes, tag.score, tag.evidence) for tag in hit.themes] == [
        ("sante", ("hopital",), 1.0, ())
    ]
    assert [tag.country for tag in hit.countries] == ["DE"]


# Hits


async def test_a_hit_shows_the_note_with_its_tags_and_their_evidence(library: Index) -> None:
    (hit,) = (await library.search(asked("commission allemande"))).hits
    note = corpus()[0]
    assert hit.id == note.note_id == note_id("berlin", reference(ROWS[0]))
    assert (hit.post, hit.genre, hit.date, hit.revision) == ("berlin", "note", ROWS[0].day, 1)
    assert (hit.received_at, hit.changed_at) == (note.received_at, note.at)
    assert (hit.subject, hit.summary) == (note.note.subject, note.note.body)
    assert hit.themes == note.classification.themes
    assert hit.countries == note.classification.countries
    assert hit.links.trace == f"/api/v1/notes/{hit.id}/trace"


async def test_the_words_are_marked_where_they_stand(library: Index) -> None:
    (hit,) = (await library.search(asked("hotellerie emplois salaire"))).hits
    assert hit.highlights.subject == ("<mark>Salaire</mark> minimum : vers 15 euros de l’heure",)
    (body,) = hit.highlights.body
    assert "L’<mark>emploi</mark> dans l’<mark>hôtellerie</mark>" in body
    assert "son <mark>salaire</mark> minimum" in body


async def test_a_phrase_is_marked_as_a_phrase_only(library: Index) -> None:
    (hit,) = (await library.search(asked('"assurance chômage"'))).hits
    assert hit.highlights.body[0].endswith("chômage des jeunes, <mark>assurance chômage</mark>.")
    assert hit.highlights.subject == ()


async def test_what_is_excluded_or_absent_is_not_marked(library: Index) -> None:
    (hit,) = (await library.search(asked("cantine -retraite"))).hits
    assert hit.highlights.body[0].count("<mark>") == 1
    for hit in (await library.search(asked())).hits:
        assert (hit.highlights.subject, hit.highlights.body, hit.score) == ((), (), None)


async def test_a_text_with_markup_is_shown_as_text(library: Index) -> None:
    (hit,) = (await library.search(asked("grippe script"))).hits
    shown = " ".join(hit.highlights.body)
    assert "&lt;<mark>script</mark>&gt;alert(&quot;<mark>grippe</mark>&quot;)" in shown
    assert "R&amp;D et 5 &lt; 7" in shown
    assert "<" not in shown.replace("<mark>", "").replace("</mark>", "")
    assert "&#x2F;" not in shown


async def test_a_long_report_is_shown_in_three_short_fragments(index: Index) -> None:
    filler = "Le régime général verse des prestations aux assurés du pays. " * 40
    body = f"{filler}Une réforme paramétrique. {filler}La réforme, encore. {filler * 20}Réformes. "
    long_word = "réforme" + "x" * 230
    await index.apply([a_classified_note(a_note(subject="Rapport", body=body * 2 + long_word))])
    await index.refresh()
    (hit,) = (await index.search(asked("réforme"))).hits
    assert len(hit.highlights.body) == FRAGMENTS
    for fragment in hit.highlights.body:
        assert "<mark>" in fragment
        assert len(fragment.replace("<mark>", "").replace("</mark>", "")) <= SNIPPET


# Rights (passages with marks of their own: test_passages.py)


async def restricted(index: Index) -> list[ClassifiedNote]:
    """One note for everybody, and three that bear marks."""
    notes = [
        a_classified_note(a_note(reference=ref, subject=f"Retraites {ref}", **marks))
        for ref, marks in {
            "LIBRE": {},
            "DR": {"marking": "diffusion_restreinte"},
            "SF": {"special_france": True},
            "TOUT": {"marking": "diffusion_restreinte", "special_france": True},
        }.items()
    ]
    assert set(await index.apply(notes)) == {Applied.INDEXED}
    await index.refresh()
    return notes


@pytest.mark.parametrize(
    ("markings", "special_france", "wanted"),
    [
        ({Marking.NON_PROTEGE}, False, {"LIBRE"}),
        ({Marking.NON_PROTEGE}, True, {"LIBRE", "SF"}),
        (set(Marking), False, {"LIBRE", "DR"}),
        (set(Marking), True, {"LIBRE", "DR", "SF", "TOUT"}),
        (set(), True, set()),
    ],
)
@pytest.mark.parametrize("sort", Sort)
async def test_a_reader_sees_nothing_of_what_is_not_for_them(
    index: Index, markings: set[Marking], special_france: bool, wanted: set[str], sort: Sort
) -> None:
    await restricted(index)
    reader = {"name": "lecteur", "markings": markings, "special_france": special_france}
    for words in ("", "retraites", "retraites xylophone", "DR OU SF OU LIBRE OU TOUT"):
        page = await index.search(asked(words, reader=reader, sort=sort))
        assert {hit.reference for hit in page.hits} == wanted
        assert page.total == len(wanted)
        assert all(sum(row.count for row in page.facets[f]) == len(wanted) for f in FACETS)


async def test_a_score_is_given_only_to_who_may_see_all_that_it_is_made_of(index: Index) -> None:
    await restricted(index)

    async def scores(reader: dict[str, Any]) -> set[float | None]:
        page = await index.search(asked("retraites", reader={"name": "lecteur"} | reader))
        assert page.hits
        return {hit.score for hit in page.hits}

    everything = {"markings": set(Marking), "special_france": True}
    assert None not in await scores(everything)
    for narrower in ({"special_france": False}, {"markings": {Marking.NON_PROTEGE}}):
        assert await scores(everything | narrower) == {None}


async def test_a_cursor_gives_no_reader_the_rights_of_another(index: Index) -> None:
    await restricted(index)
    for sort in Sort:
        cleared = asked("retraites", reader=CLEARED, sort=sort, size=2)
        cursor = (await index.search(cleared)).next
        with pytest.raises(CursorInvalid):
            await index.search(asked("retraites", sort=sort, size=2, cursor=cursor))


# Pages


def numbered(count: int) -> list[ClassifiedNote]:
    """Notes of which many share their day, and many their instant of receipt."""
    return [
        a_classified_note(
            a_note(
                reference=f"BER-{n:04}",
                date=date(2026, 1, 1) + timedelta(days=n % 7),
                subject="Retraites" + " et pensions" * (n % 3),
            ),
            received_at=RECEIVED + timedelta(microseconds=n // 25),
        )
        for n in range(count)
    ]


async def pages(index: Index, query: Query) -> AsyncIterator[Page]:
    while True:
        page = await index.search(query)
        yield page
        if page.next is None:
            return
        query = query.model_copy(update={"cursor": page.next})


@pytest.mark.parametrize("words", ["retraites", "", "retraites xylophone", "-xylophone"])
@pytest.mark.parametrize("sort", Sort)
async def test_a_reader_pages_through_all_notes_once(index: Index, sort: Sort, words: str) -> None:
    notes = numbered(110)
    await index.apply(notes)
    await index.refresh()
    walked = [page async for page in pages(index, asked(words, sort=sort, size=8))]
    seen = [hit.id for page in walked for hit in page.hits]
    assert len(seen) == len(set(seen)) == 110
    assert set(seen) == {note.note_id for note in notes}
    assert {page.total for page in walked} == {110}
    assert {page.relaxed for page in walked} == {words == "retraites xylophone"}
    assert [len(page.hits) for page in walked] == [8] * 13 + [6]


@pytest.mark.parametrize("words", ["retraites", "", "retraites xylophone"])
@pytest.mark.parametrize("sort", Sort)
async def test_a_reader_walks_back_over_the_same_pages(
    index: Index, sort: Sort, words: str
) -> None:
    await index.apply(numbered(60))
    await index.refresh()
    query = asked(words, sort=sort, size=8)
    walked = [page async for page in pages(index, query)]
    assert walked[0].previous is None
    at, back = walked[-1], []
    while at.previous is not None:
        at = await index.search(query.model_copy(update={"cursor": at.previous}))
        back.append(at)
    shown = [[hit.id for hit in page.hits] for page in walked]
    assert [[hit.id for hit in page.hits] for page in reversed(back)] == shown[:-1]
    assert {(page.total, page.relaxed) for page in back} == {(60, walked[0].relaxed)}
    forth = await index.search(query.model_copy(update={"cursor": back[0].next}))
    assert [hit.id for hit in forth.hits] == shown[-1]


async def test_a_date_to_come_heads_no_list_and_is_found_by_its_own(index: Index) -> None:
    days = {"A": date(2026, 3, 4), "B": date(2027, 3, 4), "C": date(2026, 3, 6)}
    days |= {"D": date(2126, 1, 1), "E": date(2026, 3, 4), "F": date(2026, 2, 1)}
    await index.apply(
        [
            a_classified_note(a_note(reference=name, date=day), received_at=RECEIVED, at=RECEIVED)
            for name, day in days.items()
        ]
    )
    await index.refresh()
    receipt = RECEIVED.date()
    listed = {name: min(day, receipt) if day.year > 2026 else day for name, day in days.items()}
    query = asked("", sort=Sort.DATE, size=2)
    walked = [page async for page in pages(index, query)]
    shown = [hit.reference for page in walked for hit in page.hits]
    assert sorted(shown) == list(days)
    assert [listed[name] for name in shown] == sorted(listed.values(), reverse=True)
    at, back = walked[-1], [*walked[-1].hits]
    while at.previous is not None:
        at = await index.search(query.model_copy(update={"cursor": at.previous}))
        back = [*at.hits, *back]
    assert [hit.reference for hit in back] == shown
    ahead = await index.search(asked("", date_from=date(2027, 1, 1)))
    assert {hit.reference: hit.date for hit in ahead.hits} == {"B": days["B"], "D": days["D"]}
    assert [hit.reference for hit in (await index.search(asked("", year=(2027,)))).hits] == ["B"]


async def test_what_arrived_meanwhile_is_on_the_pages_before(index: Index) -> None:
    notes = numbered(20)
    await index.apply(notes[:16])
    await index.refresh()
    query = asked("", sort=Sort.RECEIVED, size=8)
    second = [page async for page in pages(index, query)][1]
    newer = [
        note.model_copy(update={"received_at": RECEIVED + timedelta(days=1)}) for note in notes[16:]
    ]
    await index.apply(newer)
    await index.refresh()
    before = await index.search(query.model_copy(update={"cursor": second.previous}))
    assert len(before.hits) == 8
    assert not {hit.id for hit in before.hits} & {note.note_id for note in newer}
    first = await index.search(query.model_copy(update={"cursor": before.previous}))
    assert {hit.id for hit in first.hits} >= {note.note_id for note in newer}
    assert first.previous is None


@pytest.mark.parametrize("sort", [Sort.RECEIVED, Sort.DATE])
async def test_a_page_before_which_less_is_left_is_the_first(index: Index, sort: Sort) -> None:
    notes = numbered(16)
    await index.apply(notes)
    await index.refresh()
    query = asked("", sort=sort, size=8)
    first, second = [page async for page in pages(index, query)]
    await index.forget([hit.id for hit in first.hits[:5]])
    await index.refresh()
    back = await index.search(query.model_copy(update={"cursor": second.previous}))
    assert [hit.id for hit in back.hits] == [hit.id for hit in [*first.hits[5:], *second.hits[:5]]]
    assert back.previous is None


@pytest.mark.parametrize("sort", [Sort.DATE, Sort.RECEIVED])
async def test_the_newest_note_comes_first_and_ties_have_an_order(index: Index, sort: Sort) -> None:
    notes = numbered(110)
    await index.apply(notes)
    await index.refresh()
    seen = [hit async for page in pages(index, asked(sort=sort, size=20)) for hit in page.hits]
    when = {Sort.DATE: lambda hit: hit.date, Sort.RECEIVED: lambda hit: hit.received_at}[sort]
    assert seen == sorted(seen, key=lambda hit: (when(hit), str(hit.id)), reverse=True)


@pytest.mark.parametrize("sort", [Sort.DATE, Sort.RECEIVED])
async def test_a_reader_who_pages_by_date_loses_nothing_while_notes_arrive(
    index: Index, sort: Sort
) -> None:
    notes = numbered(60)
    await index.apply(notes)
    await index.refresh()
    seen: list[Any] = []
    turn = 0
    async for page in pages(index, asked(sort=sort, size=10)):
        seen += [hit.id for hit in page.hits]
        turn += 1
        newer = a_classified_note(
            a_note(reference=f"NEU-{turn}", date=date(2026, 2, 1)),
            received_at=RECEIVED + timedelta(days=1),
        )
        reclassified = [
            note.model_copy(
                update={
                    "classification": note.classification.model_copy(update={"release": turn + 1})
                }
            )
            for note in notes[:20]
        ]
        await index.apply([newer, *reclassified])
        await index.refresh()
    assert len(seen) == len(set(seen)) == 60
    assert set(seen) == {note.note_id for note in notes}


async def test_a_reader_who_pages_by_relevance_stays_in_one_state_of_the_index(
    index: Index,
) -> None:
    notes = numbered(60)
    await index.apply(notes)
    await index.refresh()
    seen: list[Any] = []
    async for page in pages(index, asked("retraites", size=10)):
        seen += [hit.id for hit in page.hits]
        assert page.total == 60
        await index.apply([a_classified_note(a_note(reference=f"NEU-{len(seen)}"))])
        await index.forget([notes[0].note_id])
        await index.refresh()
    assert len(seen) == len(set(seen)) == 60
    assert set(seen) == {note.note_id for note in notes}


async def test_a_feed_begins_with_the_note_received_last(library: Index) -> None:
    assert keys(await library.search(asked(sort=Sort.RECEIVED))) == [
        row.key for row in reversed(ROWS)
    ]
    assert keys(await library.search(asked())) == [row.key for row in reversed(ROWS)]
    by_date = keys(await library.search(asked(sort=Sort.DATE)))
    assert set(by_date[:2]) == {"RENTE", "MEDICARE"}
    assert by_date[-1] == "PALAIS"


async def test_a_cursor_of_another_search_is_refused(library: Index) -> None:
    cursor = (await library.search(asked("travail", size=1))).next
    assert cursor
    for other in (
        asked("retraites", size=1, cursor=cursor),
        asked("travail", size=1, cursor=cursor, sort=Sort.DATE),
        asked("travail", size=1, cursor=cursor, theme=["sante"]),
    ):
        with pytest.raises(CursorInvalid):
            await library.search(other)
    assert (await library.search(asked("travail", size=5, cursor=cursor))).hits


@pytest.mark.parametrize(
    "garbage", ["x", "%%%", "e30=", "bnVsbA==", "é", "W10=", "A" * 4_000, "\x00"]
)
@pytest.mark.parametrize("sort", Sort)
async def test_a_cursor_that_is_garbage_is_refused(
    library: Index, garbage: str, sort: Sort
) -> None:
    with pytest.raises(CursorInvalid):
        await library.search(asked("travail", sort=sort, cursor=garbage))


@pytest.mark.parametrize("sort", Sort)
@pytest.mark.parametrize(
    "change",
    [
        {"value": 2**80},
        {"value": "x"},
        {"value": None},
        {"value": 1e400},
        {"value": 2**62},
        {"value": -(2**62)},
        {"id": "x"},
        {"id": 3},
        {"snapshot": "x"},
        {"snapshot": 3},
        {"snapshot": "A" * 2_000},
        {"more": 1},
        {"back": True},
        {"back": 3},
    ],
)
async def test_a_cursor_that_was_tampered_with_is_never_an_error_of_ours(
    library: Index, sort: Sort, change: dict[str, Any]
) -> None:
    query = asked("travail", size=1, sort=sort)
    cursor = (await library.search(query)).next
    assert cursor
    forged = json.loads(base64.urlsafe_b64decode(cursor)) | change
    cursor = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode()
    with contextlib.suppress(CursorInvalid, CursorExpired):
        page = await library.search(query.model_copy(update={"cursor": cursor}))
        assert page.total <= len(ROWS)


async def test_a_relevance_cursor_whose_snapshot_is_gone_has_expired(library: Any) -> None:
    query = asked("travail", size=1)
    cursor = (await library.search(query)).next
    if isinstance(library, TantivyIndex):
        library._lent.clear()
    else:
        kept = json.loads(base64.urlsafe_b64decode(cursor))["snapshot"]
        await library._client.close_point_in_time(id=kept)
    with pytest.raises(CursorExpired):
        await library.search(query.model_copy(update={"cursor": cursor}))


# The same on both


SAME = [
    "", "retraites", "travail", "irlandaise", "polonais", "l'accord", "santé OU travail -Suède",
    '"assurance chômage"', "assurance-maladie", "cantine pandémie", "âge départ ans", "1,5", "NHS",
    "R&D", "script", "2025", "GEN-2025-OMS", "« modèle québécois »", "québécoise", "œuvre", "退",
    "rente", "the who", "sur", "mes -sur", "l'assegno", "don't", "养老金", "reforma OU réforme",
]  # fmt: skip
VOCABULARY = sorted(
    {word for row in (*ROWS, *ABROAD) for word in f"{row.subject} {row.body}".split()}
)


@pytest.mark.live
@given(
    words=st.one_of(
        st.sampled_from(SAME),
        st.lists(
            st.sampled_from([*VOCABULARY, "OU", "-", '"', "|", "-retraite", "l’"]),
            max_size=5,
        ).map(" ".join),
        st.text(max_size=8),
    ),
    filters=st.sampled_from(
        [
            {},
            {"theme": ["sante"]},
            {"country": ["DE"], "year": [2026]},
            {"genre_not": ["note"]},
            {"language_not": ["fr"]},
        ]
    ),
)
@settings(max_examples=150)
async def test_a_reader_finds_the_same_notes_on_both_engines(
    both: tuple[Index, Index], words: str, filters: dict[str, Any]
) -> None:
    query = asked(words, **filters)
    one, other = [await index.search(query) for index in both]
    assert set(keys(one)) == set(keys(other))
    assert (one.total, one.relaxed, one.facets) == (other.total, other.relaxed, other.facets)
    by_id = {hit.id: replace_score(hit) for hit in other.hits}
    assert all(replace_score(hit) == by_id[hit.id] for hit in one.hits)


def replace_score(hit: Any) -> Any:
    """A hit without what engines may see differently: the score, and how fragments are cut."""
    return hit.model_copy(update={"score": None, "highlights": None})


@pytest.fixture
async def both(tmp_path: Path, engine: Callable[[str], str]) -> AsyncIterator[tuple[Index, Index]]:
    """The same corpus on both engines."""
    notes = corpus([*ROWS, *ABROAD])
    async with (
        on_tantivy(tmp_path / "index") as embedded,
        on_elasticsearch(engine("ELASTICSEARCH")) as elastic,
    ):
        for index in (embedded, elastic):
            assert set(await index.apply(notes)) == {Applied.INDEXED}
            await index.refresh()
        yield embedded, elastic

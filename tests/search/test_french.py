"""The French wording of codes, dates and scores."""

import zoneinfo
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from schemas.query import PUBLIC, Query
from services.search import french

NBSP = "\N{NO-BREAK SPACE}"


def test_the_first_of_a_month_is_said_as_such() -> None:
    assert french.day(date(2026, 3, 1)) == "1er mars 2026"
    assert french.day(date(2025, 12, 31)) == "31 décembre 2025"


@pytest.mark.parametrize(
    ("instant", "said"),
    [
        (datetime(2026, 3, 4, 9, 30, tzinfo=UTC), "4 mars 2026 à 10 h 30"),
        (datetime(2026, 7, 1, 9, 30, tzinfo=UTC), "1er juillet 2026 à 11 h 30"),
        # The day is another one in Paris, and so is the year.
        (datetime(2025, 12, 31, 23, 5, tzinfo=UTC), "1er janvier 2026 à 0 h 05"),
        # The night in which clocks go back, on both sides of it.
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "25 octobre 2026 à 2 h 30"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "25 octobre 2026 à 2 h 30"),
        (datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=9))), "31 décembre 2025 à 16 h 00"),
    ],
)
def test_an_instant_is_said_in_paris_time(instant: datetime, said: str) -> None:
    assert french.moment(instant).replace(NBSP, " ") == said


def test_the_zone_is_known_where_the_machine_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        zoneinfo.reset_tzpath([])
        paris = zoneinfo.ZoneInfo.no_cache("Europe/Paris")
    finally:
        zoneinfo.reset_tzpath()
    assert datetime(2026, 7, 1, tzinfo=paris).utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize(
    ("score", "said"),
    [(0.42, "à vérifier"), (0.599, "à vérifier"), (0.6, "probable"), (0.899, "probable"),
     (0.9, ""), (0.999, ""), (1.0, "")],
)  # fmt: skip
def test_only_what_is_doubtful_is_said(score: float, said: str) -> None:
    assert french.doubt(score) == said


def test_a_range_of_days_is_said_with_what_is_known_of_it() -> None:
    first, last = date(2026, 3, 1), date(2026, 3, 4)
    assert french.interval(first, last) == "du 1er mars 2026 au 4 mars 2026"
    assert french.interval(first, first) == "le 1er mars 2026"
    assert french.interval(first, None) == "à partir du 1er mars 2026"
    assert french.interval(None, last) == "jusqu'au 4 mars 2026"
    assert french.interval(None, None) == ""


def test_a_search_is_described_by_all_that_it_asks() -> None:
    query = Query(
        reader=PUBLIC,
        words="grève",
        theme=("sante",),
        subtheme=("sante.hopital",),
        country=("DE",),
        country_any=("FR",),
        post=("berlin",),
        genre=("breve",),
        language=("eng",),
        year=(2026,),
        theme_not=("travail",),
        country_not=("IT",),
        language_not=("cy",),
        received_from=date(2026, 3, 4),
    )
    assert french.described(query) == (
        f"«{NBSP}grève{NBSP}», Santé, Hôpital et offre de soins, Allemagne, "
        "France (sujet ou mention), Poste de Berlin, Brève, en anglais, 2026, sauf Travail, "
        "sauf Italie, sauf en cy, "
        "note reçue à partir du 4 mars 2026"
    )
    assert french.described(Query(reader=PUBLIC)) == ""


def test_a_code_that_nobody_knows_is_shown_as_it_is() -> None:
    for label in (french.theme, french.subtheme, french.country, french.post, french.genre):
        assert label("??") == "??"

"""The French wording of codes, dates and scores."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from schemas.query import PUBLIC, Query
from services.search import french

NBSP = "\N{NO-BREAK SPACE}"


def test_the_first_of_a_month_is_said_as_such() -> None:
    assert french.day(date(2026, 3, 1)) == "1er mars 2026"
    assert french.day(date(2025, 12, 31)) == "31 décembre 2025"


def test_an_instant_is_said_in_universal_time() -> None:
    paris = timezone(timedelta(hours=1))
    assert french.moment(datetime(2026, 1, 1, 0, 5, tzinfo=paris)) == (
        f"31 décembre 2025 à 23{NBSP}h{NBSP}05 (UTC)"
    )
    assert "(UTC)" in french.moment(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("score", "said"), [(0.0, "0"), (0.934, "93"), (0.999, "99"), (0.9999, "99"), (1.0, "100")]
)
def test_a_probability_is_never_rounded_up_to_certainty(score: float, said: str) -> None:
    assert french.percent(score) == f"{said}{NBSP}%"


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

"""The registry when its database is wrong, busy, away or silent."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.registry import Registry, aside
from services.runtime.registry.database import Database
from tests.runtime.registry_kit import Line, own_schema, rendered, submission

PROMISED_SECONDS = 5.0
GENEROUS = 5
"""The promise is measured by the benchmarks; on a busy machine a test asks for less."""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "registry.sqlite3",
        "mysql://localhost/valise",
        "oracle+nonsense://x",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://host:port/valise",
    ],
)
def test_an_administrator_is_told_of_a_wrong_address(url: str) -> None:
    with pytest.raises(Misconfigured, match="VALISE_DATABASE"):
        Registry(url)


def test_the_password_is_not_repeated() -> None:
    with pytest.raises(Misconfigured) as error:
        Registry("mysql://valise:hemlig@localhost/valise")
    assert "hemlig" not in str(error.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_postgresql_means_psycopg(scheme: str) -> None:
    database = Database(f"{scheme}://valise@127.0.0.1:1/valise")
    assert database.engine.dialect.driver == "psycopg"


def test_a_file_that_is_no_database_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "registry.sqlite3"
    file.write_text("Ceci n'est pas une base de données. " * 100)
    registry = Registry(f"sqlite:///{file}")
    with pytest.raises(Misconfigured):
        registry.migrate()
    registry.close()


def test_another_programs_long_write_makes_it_unavailable_and_not_for_ever(
    tmp_path: Path,
) -> None:
    file = tmp_path / "registry.sqlite3"
    registry = Registry(f"sqlite:///{file}")
    registry.migrate()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(Unavailable):
        registry.begin([submission()])
    assert time.monotonic() - began < PROMISED_SECONDS * GENEROUS
    assert registry.pending(submission().event.received_at) == []  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    assert registry.begin([submission()])[0].revision == 1
    registry.close()


def test_a_full_disk_makes_it_unavailable_and_half_of_nothing_is_kept(tmp_path: Path) -> None:
    registry = Registry(f"sqlite:///{tmp_path / 'registry.sqlite3'}")
    registry.migrate()
    # Every connection of the pool gets the limit, as the disk would set it.
    database = registry._database
    with database.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
    big = submission(body="La réforme des retraites. " * 2_000)
    with pytest.raises(Unavailable):
        registry.begin([big])
    assert registry.receipt(big.event.note_id) is None
    with database.reading() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    assert registry.begin([big])[0].revision == 1
    registry.close()


def test_what_was_begun_outlives_a_killed_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'registry.sqlite3'}"
    first = Registry(url)
    first.migrate()
    first.begin([submission()])
    # Not closed: the next process finds the file as a kill leaves it.
    second = Registry(url)
    assert second.receipt(submission().event.note_id) is not None
    second.close()
    first.close()


@pytest.fixture
def line(engine: Callable[[str], str]) -> Iterator[tuple[Line, str]]:
    """A line to PostgreSQL, and the address of an own schema through it."""
    with own_schema(engine("DATABASE")) as schema:
        url = make_url(schema)
        line = Line(url.host or "127.0.0.1", url.port or 5432)
        yield line, rendered(url.set(host="127.0.0.1", port=line.port))
        line.close()


@pytest.mark.live
def test_a_postgresql_that_went_away_is_found_again(line: tuple[Line, str]) -> None:
    wire, url = line
    registry = Registry(url)
    registry.migrate()
    registry.begin([submission()])
    wire.cut()
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(Unavailable):
            registry.begin([submission(reference="BER-2026-0143")])
        assert time.monotonic() - began < PROMISED_SECONDS * GENEROUS
    assert not registry.ready()
    wire.mend()
    assert registry.ready()
    assert registry.begin([submission(reference="BER-2026-0143")])[0].revision == 1
    registry.close()


@pytest.mark.live
def test_a_postgresql_that_restarted_between_two_notes_is_not_noticed(
    line: tuple[Line, str],
) -> None:
    wire, url = line
    registry = Registry(url)
    registry.migrate()
    registry.begin([submission()])
    wire.cut()
    wire.mend()
    assert registry.begin([submission()])[0].outcome == "duplicate"
    registry.close()


@pytest.mark.live
async def test_a_postgresql_that_is_frozen_keeps_nobody_waiting(line: tuple[Line, str]) -> None:
    wire, url = line
    registry = Registry(url)
    registry.migrate()
    wire.freeze()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await aside(registry.begin, [submission()])
    assert time.monotonic() - began < PROMISED_SECONDS * GENEROUS
    wire.thaw()
    # Its connection woke up and may have written: the same note again tells.
    (begun,) = await aside(registry.begin, [submission()])
    assert begun.outcome in {"accepted", "duplicate"}
    registry.close()


@pytest.mark.live
def test_a_statement_that_takes_too_long_is_ended(engine: Callable[[str], str]) -> None:
    database = Database(engine("DATABASE"))
    began = time.monotonic()
    with pytest.raises(Unavailable), database.reading() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(60)")
    assert time.monotonic() - began < PROMISED_SECONDS * GENEROUS
    database.close()

"""Why something cannot be written is said in French, to the sender too where it is the disk."""

import errno
import json
import sqlite3
from pathlib import Path

import pytest

from services.runtime import problems
from services.runtime.errors import Busy, Unavailable
from services.runtime.reasons import away, reason


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "disque plein"),
        (errno.EDQUOT, "quota de disque atteint"),
        (errno.EROFS, "disque en lecture seule"),
    ],
)
def test_the_sender_is_told_what_the_disk_lacks(number: int, said: str) -> None:
    error = OSError(number, "words of the system")
    assert reason(error) == said
    raised = away("no room for the body", error)
    answer = problems.unavailable(raised)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) == 60
    assert said in json.loads(bytes(answer.body))["detail"]


def test_what_says_nothing_of_the_disk_stays_as_it_was() -> None:
    raised = away("the registry is away", OSError(errno.ECONNRESET, "reset"), Busy)
    assert isinstance(raised, Busy)
    usual = problems.problem(503).detail
    assert json.loads(bytes(problems.unavailable(raised).body))["detail"] == usual
    assert problems.away(Unavailable("x")).detail == usual


def test_a_database_that_is_full_says_so(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "full.sqlite3")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("PRAGMA max_page_count = 4")
    with pytest.raises(sqlite3.OperationalError) as full:
        connection.execute("INSERT INTO t VALUES (zeroblob(1000000))")
    connection.close()
    assert "disque plein" in str(away("the log", full.value).said)


def test_a_database_that_is_read_only_says_so(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "read.sqlite3").execute("CREATE TABLE t (x)").connection.close()
    connection = sqlite3.connect(f"file:{tmp_path / 'read.sqlite3'}?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError) as refused:
        connection.execute("INSERT INTO t VALUES (1)")
    connection.close()
    assert "lecture seule" in str(away("the log", refused.value).said)

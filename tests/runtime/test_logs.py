"""Log lines: text for people, one JSON object a line for machines."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from services.runtime import logs
from services.runtime.access import keys
from services.runtime.logs import Ended, JsonLines, tell
from services.runtime.visible import unseen

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def written() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger of its own that writes JSON, and what it wrote."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonLines("classify"))
    logger = logging.Logger("valise.test", logging.INFO)
    logger.addHandler(handler)
    yield logger, out
    handler.close()


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_batch_of_outcomes_is_one_line_each(
    written: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, out = written
    ended = [
        Ended("classify", "classified", "notes.submitted", note_id="a", partition=0, offset=0),
        Ended("classify", "classified", "notes.submitted", revision=2, trace=TRACEPARENT),
    ]
    tell(logger, logging.INFO, ended, "%d done", 2)
    first, second = lines(out)
    assert first["note_id"] == "a"
    assert first["partition"] == first["offset"] == 0
    assert "revision" not in first
    assert second["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert second["service"] == "classify"
    assert second["outcome"] == "classified"
    assert str(second["time"]).endswith("+00:00")


def test_as_text_the_batch_is_one_readable_line() -> None:
    logger = logging.Logger("valise.test", logging.INFO)
    out = io.StringIO()
    logger.addHandler(logging.StreamHandler(out))
    tell(logger, logging.INFO, [Ended("search", "indexed", "t")] * 3, "search: %d indexed", 3)
    assert out.getvalue() == "search: 3 indexed\n"


def a_record(message: str, *args: object) -> logging.LogRecord:
    """A record with an exception whose words are somebody else's."""
    try:
        _fail(f"boum\n2026-11-26T00:00:00+0000 INFO valise forged {HOSTILE}")
    except ValueError:
        return logging.LogRecord("valise", 20, "f", 1, message, args, sys.exc_info())
    raise AssertionError


def _fail(words: str) -> None:
    raise ValueError(words)


HOSTILE = f"\r\n\x1b]0;x\x07\x9b31m\u202e\u2028{keys.new()}"


@pytest.mark.parametrize("style", [logs.TextLines(), JsonLines("search")])
def test_what_is_logged_of_others_words_begins_no_line_and_acts_on_no_terminal(
    style: logging.Formatter,
) -> None:
    shown = style.format(a_record("refused: %s", HOSTILE))
    assert not any(unseen(sign) for sign in shown.replace("\n", ""))
    first, *others = shown.split("\n")
    assert "refused" in first
    assert all(line.startswith("    ") for line in others)
    assert "valise_…" in shown
    assert HOSTILE[-20:] not in shown


def test_an_outcome_that_quotes_a_key_does_not_log_it(
    written: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, out = written
    tell(logger, logging.INFO, [Ended("search", "parked", "t", reason=f"not {HOSTILE}")], "")
    (line,) = lines(out)
    assert str(line["reason"]).endswith("valise_…")


def test_any_other_line_names_its_service_and_logger(
    written: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, out = written
    logger.warning("waiting for %s\nagain", "l'été")
    (line,) = lines(out)
    assert line["message"] == "waiting for l'été\nagain"
    assert (line["level"], line["service"]) == ("WARNING", "classify")
    assert line["logger"] == "valise.test"
    assert "été" in out.getvalue()


def test_an_exception_stays_within_its_line(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, out = written
    logger.error("failed", exc_info=RuntimeError("boum"))
    (line,) = lines(out)
    assert "RuntimeError: boum" in str(line["exception"])


def test_a_batch_without_outcomes_of_its_own_is_one_line_with_its_message(
    written: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, out = written
    tell(logger, logging.INFO, [], "%d done", 0)
    (line,) = out.getvalue().splitlines()
    assert json.loads(line)["message"] == "0 done"


@pytest.mark.parametrize("odd", [None, "", "nonsense", "00-aa-bb"])
def test_what_is_no_traceparent_has_no_trace(odd: str | None) -> None:
    assert logs.trace_id(odd) is None

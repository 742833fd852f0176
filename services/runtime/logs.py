"""Log lines for people, or one JSON object a line for machines; one line per outcome there.

What ends a message is told through `tell`: as text one line a batch, as JSON one line a message.
No line holds a note's subject or body, a key, or a sign that acts on a terminal; nothing that is
logged can begin a line of its own.
"""

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from services.runtime.redaction import redacted
from services.runtime.visible import visible

Style = Literal["json", "text"]

OUTCOMES = "valise_outcomes"
"""Attribute of a log record that carries outcomes."""

BELOW = "\n    "
"""Before the further lines of a message as text: a line that begins with a time is ours."""

CHATTY = ("httpx", "alembic")
"""Libraries that log each call at INFO."""


_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""`json.dumps` would make an encoder for each line: half of what a line costs."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the handling of one message ended. `trace` is its traceparent."""

    service: str
    outcome: str
    topic: str
    note_id: str | None = None
    revision: int | None = None
    partition: int | None = None
    offset: int | None = None
    reason: str | None = None
    trace: str | None = None

    def fields(self) -> dict[str, str | int]:
        """What is known of it, as the line says it."""
        known: dict[str, str | int | None] = {
            "service": self.service,
            "outcome": self.outcome,
            "note_id": self.note_id,
            "revision": self.revision,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "reason": self.reason,
            "trace_id": trace_id(self.trace),
        }
        return {name: value for name, value in known.items() if value is not None}


def trace_id(traceparent: str | None) -> str | None:
    """The id of the trace in a W3C traceparent; None where there is none."""
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) == 4 else None


def tell(
    logger: logging.Logger, level: int, ended: Sequence[Ended], message: str, *args: object
) -> None:
    """Log how these messages ended: `message` as text, a line for each of them as JSON."""
    logger.log(level, message, *args, extra={OUTCOMES: ended} if ended else None)


def set_up(level: str, style: Style, service: str = "valise") -> None:
    """Log to standard error from now on, in place of whatever was set up before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service) if style == "json" else TextLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


class TextLines(logging.Formatter):
    """A line for people; what follows of a message or an exception is indented below it."""

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z"
        )

    def format(self, record: logging.LogRecord) -> str:
        """The line, and those below it."""
        said = visible(redacted(super().format(record)), keep="\n\t")
        return said.replace("\n", BELOW)


class JsonLines(logging.Formatter):
    """A JSON object a line; a record that tells outcomes becomes one line for each."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """One line, or as many as the record tells outcomes."""
        return "\n".join(visible(_encoded(line)) for line in self._lines(record))

    def _lines(self, record: logging.LogRecord) -> Iterator[dict[str, Any]]:
        begin: dict[str, str | int] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
        }
        ended: Sequence[Ended] | None = getattr(record, OUTCOMES, None)
        if ended is not None:
            yield from (begin | _without_secrets(each.fields()) for each in ended)
            return
        message = redacted(record.getMessage())
        said = {"service": self._service, "logger": record.name, "message": message}
        if record.exc_info:
            said["exception"] = redacted(self.formatException(record.exc_info))
        yield begin | said


def _without_secrets(fields: dict[str, str | int]) -> dict[str, str | int]:
    """The same, of which only the reason may quote somebody."""
    reason = fields.get("reason")
    return fields | {"reason": redacted(reason)} if isinstance(reason, str) else fields

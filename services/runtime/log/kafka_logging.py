"""Keeps Kafka's client libraries to a few lines: an outage is one event, not one per retry."""

import logging
import time
from typing import Any

logger = logging.getLogger(__name__)

QUIET_SECONDS = 60.0
"""The same message is not logged again for so long."""


AIOKAFKA = "aiokafka"
FASTSTREAM = "valise.faststream"
"""Not FastStream's own name, to which it adds a handler of its own."""


class Terse(logging.Handler):
    """Passes on warnings and worse: each once a minute, on one line, without its stack trace."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self._last: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record on, unless the same was passed on within the last minute."""
        # Told apart by the message before its arguments, in which times and ids differ.
        if self.is_news(f"{record.name} {record.msg}"):
            reason = f": {record.exc_info[1]!r}" if record.exc_info else ""
            logger.log(record.levelno, "%s: %s%s", record.name, record.getMessage(), reason)

    def is_news(self, message: str) -> bool:
        """Whether this was not said within the last minute; from now on it was."""
        now = time.monotonic()
        said_at = self._last.get(message)
        if said_at is not None and now - said_at < QUIET_SECONDS:
            return False
        self._last[message] = now
        return True


class FastStreamLogger:
    """What FastStream logs to: only its errors count, what it says of each message does not."""

    def log(
        self,
        level: int,
        msg: Any,
        /,
        *,
        exc_info: Any = None,
        extra: Any = None,  # noqa: ARG002 -- FastStream's protocol
    ) -> None:
        """Pass an error on to the logger that `install` has made terse."""
        if level >= logging.ERROR:
            logging.getLogger(FASTSTREAM).log(level, msg, exc_info=exc_info)


def install() -> None:
    """Have aiokafka's loggers and FastStream's answer to Terse alone. Idempotent."""
    for name in (AIOKAFKA, FASTSTREAM):
        library = logging.getLogger(name)
        if not any(isinstance(handler, Terse) for handler in library.handlers):
            library.addHandler(Terse())
            library.propagate = False
            # Its debug lines show the bytes of a sign-in, which may be a password.
            library.setLevel(logging.WARNING)

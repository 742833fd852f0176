"""A process that submits a note and is killed between the registry and the log (for a test)."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from services.ingest.submit import submit
from services.runtime.log import Entry
from services.runtime.log.sqlite import SqliteLog
from tests.ingest.conftest import engines
from tests.runtime.registry_kit import submission


class LastMoment(SqliteLog):
    """A log before whose first entry the power goes."""

    async def append(self, topic: str, entries: Sequence[Entry]) -> None:
        """Does not return."""
        os.kill(os.getpid(), signal.SIGKILL)


async def main(data: Path) -> None:
    registry, _ = engines(data)
    registry.migrate()
    await submit(registry, LastMoment(data / "log.sqlite3"), [submission()])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

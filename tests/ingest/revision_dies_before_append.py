"""A process that rectifies a note and is killed between the registry and the log (for a test)."""

import asyncio
import sys
from pathlib import Path

from schemas.topics import SUBMITTED
from services.ingest.revise import revise
from services.ingest.submit import submit
from tests.ingest.conftest import engines
from tests.ingest.dies_before_append import LastMoment
from tests.runtime.registry_kit import rectification, submission


async def main(data: Path) -> None:
    registry, log = engines(data)
    registry.migrate()
    await log.provision([SUBMITTED])
    await submit(registry, log, [submission()])
    await revise(registry, LastMoment(data / "log.sqlite3"), rectification(body="À 67 ans."))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

"""A process that writes to the embedded index until it is killed: prints what is durable.

    python -m tests.search.index.writer_process FOLDER BATCHES [LARGEST_FILE]

With LARGEST_FILE, no file may grow beyond that many bytes: a disk that is full.
"""

import asyncio
import resource
import signal
import sys
from pathlib import Path

from services.runtime.errors import Unavailable
from services.search.index.embedded import TantivyIndex
from tests.builders import a_classified_note, a_note

BATCH = 20


async def main(folder: Path, batches: int, largest: int | None) -> None:
    index = TantivyIndex(folder)
    await index.start()
    if largest is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    for batch in range(batches):
        notes = [
            a_classified_note(
                a_note(reference=f"BER-{batch}-{n}", body=f"Retraite {batch} {n} " * 99)
            )
            for n in range(BATCH)
        ]
        try:
            await index.apply(notes)
        except Unavailable:
            print("full", flush=True)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            await index.apply(notes)
        print(batch, flush=True)
    await index.stop()


if __name__ == "__main__":
    asyncio.run(
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
    )

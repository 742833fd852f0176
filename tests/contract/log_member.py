"""A member of a group, or a sender, in a process of its own: to be killed.

    python -m tests.contract.log_member PLACE hold|send

`hold` prints the values of each batch that it is handed and never ends the batch. `send` appends
entries 0, 1, 2… and prints each number once it is acknowledged.
"""

import asyncio
import json
import sys
from collections.abc import Sequence

from services.runtime.log import Entry, Record
from tests.contract.log_places import TOPIC, open_log


async def hold(place: str) -> None:
    log = open_log(json.loads(place))

    async def handle(records: Sequence[Record]) -> None:
        print(json.dumps([(record.value or b"").decode() for record in records]), flush=True)
        await asyncio.Event().wait()

    log.subscribe(TOPIC, "classify", handle)
    await log.start()
    await asyncio.Event().wait()


async def send(place: str) -> None:
    log = open_log(json.loads(place))
    await log.start()

    async def one(number: int) -> None:
        await log.append(TOPIC, [Entry(b"note", b"%d" % number + b" " * 5_000)])
        print(number, flush=True)

    for start in range(0, 1_000_000, 10):
        await asyncio.gather(*(one(number) for number in range(start, start + 10)))


if __name__ == "__main__":
    asyncio.run({"hold": hold, "send": send}[sys.argv[2]](sys.argv[1]))

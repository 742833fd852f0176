"""A gateway before Elasticsearch that refuses some items of some bulk requests with 429."""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from tests.search.index.test_elastic import Squeezed

REFUSING = 0.5
"""Share of the bulk requests of which something is refused."""


class Refusals(list[int]):
    """How many items of each request are refused: none, some or all, by chance."""

    def __init__(self, gateway: Squeezed, chance: random.Random) -> None:
        super().__init__([0])
        self.total = 0
        self._gateway = gateway
        self._chance = chance

    def pop(self, _: object = -1) -> int:
        """The number for the request that came last."""
        if self._chance.random() >= REFUSING:
            return 0
        refused = self._chance.randint(1, self._gateway.bulks[-1])
        self.total += refused
        return refused


@contextmanager
def refusing(elasticsearch: str, seed: int) -> Iterator[tuple[str, Refusals]]:
    """The address of such a gateway, and what it has refused."""
    gateway = Squeezed(elasticsearch)
    refusals = Refusals(gateway, random.Random(seed))
    gateway.withheld = refusals
    loop = asyncio.new_event_loop()
    runner: web.AppRunner | None = None
    started = threading.Event()

    async def start() -> None:
        nonlocal runner
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", gateway.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        started.set()

    def run() -> None:
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    if not started.wait(10) or runner is None:
        raise RuntimeError("the gateway did not start")
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", refusals
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()

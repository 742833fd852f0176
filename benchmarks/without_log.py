"""Ingest with a log that takes everything and keeps nothing: the peer of P7.

python -m benchmarks.without_log --port 8001     settings from the environment, as for ingest
"""

import argparse
import os
from collections.abc import AsyncIterator, Sequence

from schemas.topics import Topic
from services.ingest.app import compose
from services.runtime import web
from services.runtime.log import BatchHandler, Entry, Record, Subscription
from services.runtime.registry import Registry
from services.runtime.settings import Settings


class NoLog:
    """The log port, without a log."""

    async def provision(self, topics: Sequence[Topic]) -> None:
        """Nothing to create."""

    def subscribe(
        self, topic: str, group: str, handler: BatchHandler, *, max_records: int = 200
    ) -> Subscription:
        """Nothing to read."""
        raise NotImplementedError

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Nothing to leave."""

    async def append(self, topic: str, entries: Sequence[Entry]) -> None:
        """Check the entries as a log does, and forget them."""
        del topic
        for entry in entries:
            entry.check()

    async def replay(
        self, topic: str, *, max_records: int = 500
    ) -> AsyncIterator[Sequence[Record]]:
        """Nothing was kept."""
        del topic, max_records
        return
        yield ()

    async def ready(self) -> bool:
        """Always."""
        return True


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    settings = Settings.from_env(os.environ)
    registry = Registry(settings.registry_url)
    web.serve(compose(registry, NoLog(), settings), web.listen("127.0.0.1", port))


if __name__ == "__main__":
    main()

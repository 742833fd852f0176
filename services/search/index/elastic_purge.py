"""How the words of removed documents leave Elasticsearch's files.

Two things keep a removed document in its segment: merges that leave segments alone of which less
than a tenth was removed, and retention leases, under which it is kept for copies of the shard that
may ask for it within 12 hours. Both are set aside for as long as this takes.
"""

import asyncio
import time
from typing import Any

from elasticsearch import AsyncElasticsearch

from services.runtime.errors import Unavailable

LEASE_SECONDS = 120.0
"""Leases are renewed every 30 s, at their new and shorter length."""
LOOK_SECONDS = 1.0

_SETTINGS = {
    "index.merge.policy.expunge_deletes_allowed": "0",
    "index.soft_deletes.retention_lease.period": "1s",
}


async def purge(client: AsyncElasticsearch, index: str) -> None:
    """Merge what was removed until now out of the index's segments, and out of its translog.

    Raises what the client raises, and Unavailable where the leases are not renewed in time.
    """
    await client.indices.put_settings(index=index, settings=_SETTINGS)
    try:
        shards = await _shards(client, index)
        reached = {name: shard["seq_no"]["max_seq_no"] for name, shard in shards.items()}
        deadline = time.monotonic() + LEASE_SECONDS
        while not all(_passed(shard, reached.get(name, -1)) for name, shard in shards.items()):
            if time.monotonic() > deadline:
                raise Unavailable("Elasticsearch's retention leases are not renewed")
            await asyncio.sleep(LOOK_SECONDS)
            shards = await _shards(client, index)
        await client.indices.flush(index=index)
        await client.indices.forcemerge(index=index, only_expunge_deletes=True)
        # Searches let go of the segments that were merged.
        await client.indices.refresh(index=index)
    finally:
        await client.indices.put_settings(index=index, settings=dict.fromkeys(_SETTINGS))


def _passed(shard: dict[str, Any], number: int) -> bool:
    """Whether no lease keeps what was done up to that sequence number."""
    leases = shard["retention_leases"]["leases"]
    return all(lease["retaining_seq_no"] > number for lease in leases)


async def _shards(client: AsyncElasticsearch, index: str) -> dict[str, Any]:
    """Each copy of each shard, with its sequence numbers and leases."""
    stats = await client.indices.stats(index=index, metric="docs", level="shards")
    return {
        f"{name}/{number}/{copy['routing']['node']}": copy
        for name, each in stats["indices"].items()
        for number, copies in each["shards"].items()
        for copy in copies
    }

"""A rebuild's index in Elasticsearch: filled under an alias of its own, then given the two of the
index in use, the one for writes first.

Between the two, what went to the old index only is brought to the new one: searches stay on the old
one until nothing is missing from the new one (docs/adr/0008-rebuild.md).
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from elasticsearch import AsyncElasticsearch, NotFoundError

from schemas.events import ClassifiedNote
from services.runtime.errors import Unavailable
from services.search.data import table
from services.search.index import Applied, RebuildLost, Rejected
from services.search.index.elastic_bulk import delete_all, delete_before, write_in_turn
from services.search.index.elastic_errors import translated
from services.search.index.elastic_query import NOTES_IN_FORCE
from services.search.index.elastic_setup import (
    Names,
    generation_of,
    index_definition,
    mappings,
    searches_follow,
)

GRACE_SECONDS = 12.0
"""How long the old index stays after the exchange: longer than a search may take, so that none is
under way in it when it goes."""

_FRESH = r"-\d{8}t\d{6}-[0-9a-f]{6}"


async def begin(client: AsyncElasticsearch, names: Names, replicas: int) -> "ElasticRebuilding":
    """A new index beside the one in use. Those that lead nowhere, of unfinished rebuilds, go.

    So of two rebuilds at once the later one wins, and the earlier one finds its index gone.
    """
    async with translated():
        await _remove_unused(client, names)
        name = names.fresh()
        definition = index_definition(replicas)
        # Nobody searches it yet: segments need not be made each second.
        definition["settings"]["index"] |= {"refresh_interval": "-1"}
        await client.indices.create(
            index=name,
            **definition,
            aliases={_own_alias(name): {}},
            wait_for_active_shards="1",
        )
    return ElasticRebuilding(client, names, name)


class ElasticRebuilding:
    """A new index beside the one in use (services.search.index.Rebuilding)."""

    def __init__(self, client: AsyncElasticsearch, names: Names, name: str) -> None:
        self._client = client
        self._names = names
        self._name = name
        self._takes_writes = False
        self._left: list[str] = []

    async def apply(self, notes: Sequence[ClassifiedNote]) -> list[Applied | Rejected]:
        """Take these states; one outcome each, in order."""
        async with self._watched():
            return await write_in_turn(self._client, _own_alias(self._name), notes)

    async def forget(self, note_ids: Sequence[UUID]) -> None:
        """Remove these notes."""
        async with self._watched():
            await delete_all(self._client, _own_alias(self._name), note_ids)

    async def forget_before(self, revisions: Mapping[UUID, int]) -> None:
        """Remove those of these notes that stand in an earlier revision."""
        async with self._watched():
            await delete_before(self._client, _own_alias(self._name), revisions)

    async def count(self) -> int:
        """How many notes it holds, tombstones not counted."""
        async with self._watched():
            await self._client.indices.refresh(index=self._name)
            answer = await self._client.count(index=self._name, query=NOTES_IN_FORCE)
        return int(answer["count"])

    @asynccontextmanager
    async def exchange(self) -> AsyncIterator[None]:
        """The write alias leads to the new index from here on; at the end the read alias too.

        Where the block raises, writes stay with the new index: the next start of a search service,
        or another rebuild, ends the matter.
        """
        async with self._watched():
            generation = await self._take_writes()
        yield
        async with self._watched():
            interval = table("elasticsearch")["refresh_interval"]["value"]
            await self._client.indices.put_settings(
                index=self._name, settings={"index": {"refresh_interval": interval}}
            )
            await self._client.indices.refresh(index=self._name)
            # It has all that the old one had: whoever filled that one goes on where he was.
            await self._client.indices.put_mapping(
                index=self._name, meta=mappings()["_meta"] | {"generation": generation}
            )
            self._left = await searches_follow(self._client, self._names, self._name)

    async def discard_old(self) -> None:
        """Remove the old index after a while. Cursors into it answer as expired from then on."""
        await asyncio.sleep(GRACE_SECONDS)
        async with translated():
            for name in self._left:
                await self._client.indices.delete(index=name, ignore_unavailable=True)
            await self._client.indices.delete_alias(index=self._name, name=_own_alias(self._name))

    async def abandon(self) -> None:
        """Remove the new index, unless it takes writes already."""
        if self._takes_writes:
            return
        async with translated():
            await self._client.indices.delete(index=self._name, ignore_unavailable=True)

    async def _take_writes(self) -> str:
        """Lead the write alias here; the generation of the index that it led to."""
        found = await self._client.indices.get(index=self._names.write)
        # From here on it may have happened, whatever is answered.
        self._takes_writes = True
        await self._client.indices.update_aliases(
            actions=[
                *(
                    {"remove": {"index": name, "alias": self._names.write, "must_exist": True}}
                    for name in found
                ),
                {
                    "add": {
                        "index": self._name,
                        "alias": self._names.write,
                        "is_write_index": True,
                    }
                },
            ]
        )
        return generation_of(*next(iter(found.items())))

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """Says where the index is missing that it is lost, and not merely away."""
        try:
            async with translated():
                yield
        except Unavailable as error:
            if isinstance(error.__cause__, NotFoundError) or await self._gone():
                raise RebuildLost(self._name) from error
            raise

    async def _gone(self) -> bool:
        async with translated():
            return not await self._client.indices.exists(index=self._name)


async def _remove_unused(client: AsyncElasticsearch, names: Names) -> None:
    used = {names.read, names.write}
    found: dict[str, Any] = dict(
        (await client.indices.get(index=f"{names.read}-*", features="aliases")).body
    )
    for name, has in found.items():
        ours = re.fullmatch(re.escape(names.read) + _FRESH, name)
        if ours and not used & set(has["aliases"]):
            await client.indices.delete(index=name, ignore_unavailable=True)


def _own_alias(name: str) -> str:
    """Under which the index is filled: a bulk into an index that is gone would make one."""
    return f"{name}-filling"

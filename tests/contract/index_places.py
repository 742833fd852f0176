"""The note indexes that the contract tests run on, each empty and its own."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from elasticsearch import AsyncElasticsearch

from services.runtime.settings import Settings
from services.search.index.elastic import ElasticIndex
from services.search.index.embedded import TantivyIndex

ENGINES = ["tantivy", pytest.param("elasticsearch", marks=pytest.mark.live)]


@contextlib.asynccontextmanager
async def on_tantivy(folder: Path) -> AsyncIterator[TantivyIndex]:
    index = TantivyIndex(folder)
    await index.start()
    yield index
    await index.stop()


@contextlib.asynccontextmanager
async def on_elasticsearch(url: str) -> AsyncIterator[ElasticIndex]:
    name = f"test-{uuid4().hex}"
    index = ElasticIndex(Settings(elasticsearch=url, index=name))
    await index.start()
    yield index
    await index.stop()
    async with AsyncElasticsearch(url) as client:
        for made in await client.indices.get(index=f"{name}-*"):
            await client.indices.delete(index=made)

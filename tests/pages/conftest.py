"""A search service for each test: empty, and with the notes of corpus.py."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.search import corpus
from tests.search.site import Site, open_site


@pytest.fixture
async def empty_site(tmp_path: Path) -> AsyncIterator[Site]:
    """The search service of a deployment without a note."""
    async with open_site(tmp_path) as site:
        yield site


@pytest.fixture
async def site(empty_site: Site) -> Site:
    """The search service with the corpus in it."""
    await empty_site.take(*corpus.ALL)
    return empty_site

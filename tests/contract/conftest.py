"""The index under test, on each engine."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from services.search.index import Index
from tests.contract.index_places import ENGINES, on_elasticsearch, on_tantivy


@pytest.fixture(params=ENGINES)
async def index(
    request: pytest.FixtureRequest, tmp_path: Path, engine: Callable[[str], str]
) -> AsyncIterator[Index]:
    """An empty index on one of the engines."""
    if request.param == "tantivy":
        opened: Any = on_tantivy(tmp_path / "index")
    else:
        opened = on_elasticsearch(engine("ELASTICSEARCH"))
    async with opened as empty:
        yield empty

"""A registry for each test, on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.runtime.registry import Registry
from tests.runtime.registry_kit import own_schema


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.live)])
def registry(
    request: pytest.FixtureRequest, tmp_path: Path, engine: Callable[[str], str]
) -> Iterator[Registry]:
    """An empty registry on one of the databases."""
    if request.param == "sqlite":
        made = Registry(f"sqlite:///{tmp_path / 'registry.sqlite3'}")
        made.migrate()
        yield made
        made.close()
        return
    with own_schema(engine("DATABASE")) as url:
        made = Registry(url)
        made.migrate()
        yield made
        made.close()

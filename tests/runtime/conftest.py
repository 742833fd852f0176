"""Registries for the tests that hold on SQLite and on PostgreSQL alike."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.runtime.registry import Registry
from tests.runtime.registry_kit import own_schema


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.live)])
def url(
    request: pytest.FixtureRequest, tmp_path: Path, engine: Callable[[str], str]
) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'registry.sqlite3'}"
    else:
        with own_schema(engine("DATABASE")) as schema:
            yield schema


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    found = Registry(url)
    found.migrate()
    yield found
    found.close()

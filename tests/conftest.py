"""What all tests share: hypothesis profiles, the real documents, addresses of the engines."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SHARED_NOTES = ROOT.parent / "shared" / "data" / "notes"

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("soak", deadline=None, max_examples=5_000)
settings.load_profile(os.environ.get("VALISE_HYPOTHESIS", "ci"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests come first: none is left for one process while the others idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def shared_notes() -> Path:
    """The folder of real documents beside the project; skips where it is absent."""
    if not SHARED_NOTES.is_dir():
        pytest.skip("the real documents (../shared/data/notes) are not here")
    return SHARED_NOTES


@pytest.fixture(scope="session")
def engine() -> Callable[[str], str]:
    """Address of a test engine (`KAFKA`, `ELASTICSEARCH`, `DATABASE`); skips where none runs."""

    def address(name: str) -> str:
        value = os.environ.get(f"VALISE_TEST_{name}")
        if not value:
            pytest.skip(f"VALISE_TEST_{name} is not set: run the live tests with make test-live")
        return value

    return address

"""A child process is kept running, and given up on when it only fails."""

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from services.runtime import child as module
from services.runtime.child import Child


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESTART_SECONDS", 0.05)


async def test_a_child_that_was_killed_is_started_again_however_often() -> None:
    child = Child("tests.runtime.idle", {})
    await child.start()
    try:
        for _ in range(5):
            process = child._process
            assert process is not None
            os.kill(process.pid, signal.SIGKILL)
            await until(lambda process=process: child._process is not process)
            assert await child.health() is None
    finally:
        await child.stop()
    assert child._process is not None
    assert child._process.poll() is not None


async def test_a_child_that_only_fails_is_given_up_and_not_well() -> None:
    child = Child("services.there_is_no_such_module", {})
    await child.start()
    try:
        assert child._task is not None
        async with asyncio.timeout(30):
            await child._task
        assert await child.health() == "ended with code 1"
    finally:
        await child.stop()

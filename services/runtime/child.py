"""A child process of the embedded deployment: kept running, and given up on when it only fails.

Its standard input is a line from this process: should this process be killed, the child reads the
end of the line and exits. On the line it is asked for its figures.
"""

import asyncio
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping

from services.runtime.line import Line

logger = logging.getLogger(__name__)

EXIT_SECONDS = 4.0
"""From SIGTERM to kill -9: a batch cut short is redelivered, a service must stop in time."""
RESTART_SECONDS = 1.0
"""Between the end of a child and the start of the next."""
SETTLED_SECONDS = 60.0
"""A child that has run so long works: the failures before it no longer count."""
MOST_FAILURES = 3
"""Ends with an error of its own, in a row, after which one more start would only hide the bug. A
child that was killed (by an administrator, by the kernel) is always started again."""


class Child:
    """`python -m module` in a process of its own, between `start` and `stop`."""

    def __init__(self, module: str, env: Mapping[str, str]) -> None:
        """`env` is added to this process's environment."""
        self._module = module
        self._env = dict(env)
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Line | None = None
        self._started = 0.0
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the child and watch over it."""
        self._launch()
        self._task = asyncio.create_task(self._watch(), name=self._module)

    async def stop(self) -> None:
        """End the child, within EXIT_SECONDS. Never raises."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._process is not None:
            await asyncio.to_thread(_end, self._process)
        if self._line is not None:
            self._line.close()
            self._line = None

    async def figures(self) -> bytes:
        """The child's figures as it tells them; empty where it does not."""
        return b"" if self._line is None else await self._line.ask()

    async def health(self) -> str | None:
        """None while the child runs and has not just failed, else what is wrong."""
        if self._process is None:
            return "not started"
        code = self._process.poll()
        if code is not None:
            return f"ended with code {code}"
        if self._failures and time.monotonic() - self._started < SETTLED_SECONDS:
            return f"started again after {self._failures} failures"
        return None

    def _launch(self) -> None:
        self._started = time.monotonic()
        if self._line is not None:
            self._line.close()
        self._line = line = Line()
        self._process = subprocess.Popen(  # noqa: S603 -- a module of ours, no shell
            [sys.executable, "-m", self._module],
            stdin=line.theirs.fileno(),
            env=os.environ | self._env,
        )
        line.theirs.close()
        logger.info("%s: process %d started", self._module, self._process.pid)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(RESTART_SECONDS)
            code = None if self._process is None else self._process.poll()
            if code is None:
                continue
            if time.monotonic() - self._started >= SETTLED_SECONDS:
                self._failures = 0
            if code > 0:
                self._failures += 1
            if self._failures >= MOST_FAILURES:
                logger.error("%s: failed %d times in a row, given up", self._module, self._failures)
                return
            logger.error("%s: ended with code %d, starting it again", self._module, code)
            try:
                self._launch()
            except OSError as error:  # no memory, no descriptors: perhaps in a moment
                logger.error("%s: cannot be started: %s", self._module, error)  # noqa: TRY400


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(EXIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

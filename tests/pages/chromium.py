"""Headless Chromium, steered as a person would: through its debugging protocol, over two pipes."""

import asyncio
import base64
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

BROWSER_SECONDS = 60
"""A browser starts in a second or two; on a busy machine it may take many."""

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    # Whatever the browser or a page would ask of any other host fails at once, and shows.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def chromium() -> str:
    """The program, where there is one; skips elsewhere."""
    found = "/usr/bin/chromium" if os.access("/usr/bin/chromium", os.X_OK) else None
    found = found or shutil.which("chromium")
    if found is None:
        pytest.skip("no Chromium here: install it to see the pages in a browser")
    return found


class Tab:
    """A tab of a browser of its own, without any cookie at first."""

    def __init__(self, to_browser: int, from_browser: asyncio.StreamReader) -> None:
        self._out, self._in = to_browser, from_browser
        self._numbers = count(1)
        self._session: str | None = None

    async def attach(self) -> None:
        target = await self._ask("Target.createTarget", url="about:blank")
        attached = await self._ask("Target.attachToTarget", flatten=True, **target)
        self._session = attached["sessionId"]

    async def go(self, address: str) -> None:
        """Open an address, as from the address bar."""
        await self._ask("Page.navigate", url=address)

    async def click(self, selector: str) -> None:
        """Click on the one element that the selector finds, once it is there."""
        await self.until(f"document.querySelectorAll({json.dumps(selector)}).length === 1")
        await self.evaluated(f"document.querySelector({json.dumps(selector)}).click()")

    async def fill(self, selector: str, text: str) -> None:
        """Write into a field, once it is there."""
        await self.until(f"document.querySelectorAll({json.dumps(selector)}).length === 1")
        await self.evaluated(
            f"document.querySelector({json.dumps(selector)}).value={json.dumps(text)}"
        )

    async def until(self, condition: str) -> None:
        """Wait until a condition holds of a page that has been loaded."""
        loaded = f"document.readyState === 'complete' && ({condition})"
        try:
            async with asyncio.timeout(BROWSER_SECONDS):
                while not await self.evaluated(loaded):  # noqa: ASYNC110  (no event tells of it)
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(
                f"{condition}: {await self.address()}\n{await self.text()}"
            ) from None

    async def text(self) -> str:
        """What can be read on the page."""
        return str(await self.evaluated("document.body ? document.body.innerText : ''"))

    async def address(self) -> str:
        """Where the tab is."""
        return str(await self.evaluated("location.href"))

    async def cookies(self) -> list[dict[str, Any]]:
        """All that the browser keeps."""
        found: list[dict[str, Any]] = (await self._ask("Network.getAllCookies"))["cookies"]
        return found

    async def picture(self, file: Path, width: int = 1280, height: int = 800) -> bytes:
        """A picture of the page at that size, kept in the file."""
        await self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        taken = await self._ask("Page.captureScreenshot", format="png")
        drawn = base64.b64decode(taken["data"])
        await asyncio.to_thread(file.write_bytes, drawn)
        return drawn

    async def evaluated(self, script: str) -> Any:
        """What a script gives; None while one page gives way to the next."""
        try:
            given = await self._ask("Runtime.evaluate", expression=script, returnByValue=True)
        except LookupError:
            return None
        return given["result"].get("value")

    async def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._out, json.dumps(command).encode() + b"\0")
        while True:
            said = json.loads((await self._in.readuntil(b"\0"))[:-1])
            if said.get("id") == number:
                if "error" in said:
                    raise LookupError(said["error"])
                result: dict[str, Any] = said["result"]
                return result


@asynccontextmanager
async def open_tab(folder: Path) -> AsyncIterator[Tab]:
    """A browser with one tab, whose profile is in the folder; closed afterwards."""
    program = chromium()
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    process = await asyncio.create_subprocess_exec(
        # The browser reads from 3 and writes to 4, whatever numbers are free here (not every sh
        # takes those of two digits).
        "bash", "-c", f'exec "$0" "$@" 3<&{their_in} 4>&{their_out}',
        program, *FLAGS, "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}",
        pass_fds=(their_in, their_out),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.close(their_in)
    os.close(their_out)
    reader = asyncio.StreamReader(limit=2**26)
    with os.fdopen(our_in, "rb") as pipe:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            async with asyncio.timeout(3 * BROWSER_SECONDS):
                tab = Tab(our_out, reader)
                await tab.attach()
                yield tab
        finally:
            transport.close()
            os.close(our_out)
            process.kill()
            await process.wait()

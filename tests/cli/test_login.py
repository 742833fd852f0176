"""Opening the pages of a service on this machine: the link at its start, and `valise login`."""

import os
import pty
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.pages.html import read
from tests.pages.visitor import hidden
from tests.pipeline.deployments import VALISE, free_port

START_SECONDS = 60
LINK = re.compile(r"http://127\.0\.0\.1:\d+/connexion\?billet=[A-Za-z0-9_-]{43}")


class Terminal:
    """`valise serve`, started on a terminal; what it wrote there, and its log."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "log"
        self._ours, theirs = pty.openpty()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [VALISE, "serve", "--data", self.data, "--port", self.url.rpartition(":")[2]],
                stdin=theirs,
                stdout=theirs,
                stderr=log,
            )
        os.close(theirs)

    def said(self, pattern: re.Pattern[str]) -> str:
        """The first line of what it writes that holds the pattern, as matched."""
        text, end = "", time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            text += os.read(self._ours, 4096).decode()
            found = pattern.search(text.replace("\r\n", "\n"))
            if found and text.endswith("\n"):
                return found.group()
        raise AssertionError(text)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        os.close(self._ours)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    started = Terminal(tmp_path)
    yield started
    started.stop()


def opens(link: str) -> bool:
    """Whether a browser that follows the link and presses its button sees the pages."""
    base = link.partition("/connexion")[0]
    with httpx.Client(base_url=base, headers={"Accept": "text/html"}) as browser:
        fields = hidden(read(browser.get(link).text))
        browser.post("/connexion", data=fields, headers={"Sec-Fetch-Site": "same-origin"})
        return browser.get("/").status_code == 200


def test_whoever_starts_the_service_on_a_terminal_is_given_a_link_to_its_pages(
    terminal: Terminal,
) -> None:
    link = terminal.said(LINK)
    assert link.startswith(f"{terminal.url}/")
    assert opens(link)
    assert not opens(link)
    # The command finds the administrator's key in the data folder.
    env = {"PATH": "/usr/bin:/bin", "VALISE_URL": terminal.url, "VALISE_DATA": str(terminal.data)}
    asked = subprocess.run([VALISE, "login"], env=env, capture_output=True, text=True, check=True)
    assert LINK.fullmatch(asked.stdout.strip())
    assert opens(asked.stdout.strip())
    assert "billet" not in terminal.log.read_text()
    nobody = {**env, "VALISE_KEY": f"valise_{'0' * 16}_{'A' * 43}"}
    refused = subprocess.run(
        [VALISE, "login"], env=nobody, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert refused.stdout == ""

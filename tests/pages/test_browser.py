"""The pages in a real browser: what is drawn, what is asked for, and nothing from elsewhere."""

import asyncio
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.access.sessions import hash_of, new_secret
from tests.pages.chromium import BROWSER_SECONDS, FLAGS, chromium
from tests.pages.html import Page, check, read
from tests.pages.serving import served
from tests.search import corpus
from tests.search.site import Site, open_site

pytestmark = pytest.mark.browser

POLICY = b"content-security-policy"

WIDTHS = (320, 360, 768, 1280)
FRAMES = "/frames"


@dataclass
class Asked:
    """The application, the paths that were asked of it, and a page that measures its pages.

    Its browser is signed in: each request bears a session's cookie.

    That page shows each of `framed` (path, width) in a frame and writes down how wide its content
    is; while it is used, the policy that forbids frames is left out of the answers.
    """

    app: ASGIApp
    cookie: bytes
    paths: list[str] = field(default_factory=list)
    framed: list[tuple[str, int]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == FRAMES:
            await HTMLResponse(self._frames())(scope, receive, send)
            return
        if scope["type"] == "http":
            self.paths.append(scope["path"])
            scope["headers"].append((b"cookie", self.cookie))
        await self.app(scope, receive, self._sending(send))

    def _sending(self, send: Send) -> Send:
        async def without_policy(message: Message) -> None:
            if "headers" in message:
                message["headers"] = [
                    header for header in message["headers"] if header[0] != POLICY
                ]
            await send(message)

        return without_policy if self.framed else send

    def _frames(self) -> str:
        frames = "".join(
            f'<iframe width="{width}" height="500" style="border: 0" src="{path}"></iframe>'
            for path, width in self.framed
        )
        return f"""<!DOCTYPE html><html><head></head><body>{frames}<ol></ol><script>
            addEventListener("load", () => {{
                for (const frame of document.querySelectorAll("iframe")) {{
                    const page = frame.contentDocument.documentElement;
                    const line = document.createElement("li");
                    line.textContent = [
                        frame.getAttribute("src"), frame.getAttribute("width"), page.scrollWidth,
                    ].join(" ");
                    document.querySelector("ol").append(line);
                }}
            }});
            </script></body></html>"""


@dataclass
class Browser:
    """Headless Chromium on the pages of a site."""

    program: str
    folder: Path
    base: str
    asked: Asked

    async def dom(self, path: str, *flags: str) -> str:
        """The page as the browser has it after loading."""
        return (await self._run(path, "--dump-dom", *flags)).decode()

    async def picture(self, path: str, width: int, height: int) -> Path:
        """A picture of the page at that size."""
        target = self.folder / f"{width}.png"
        await self._run(path, f"--window-size={width},{height}", f"--screenshot={target}")
        return target

    async def _run(self, path: str, *flags: str) -> bytes:
        process = await asyncio.create_subprocess_exec(
            self.program,
            *FLAGS,
            f"--user-data-dir={self.folder / 'profile'}",
            *flags,
            f"{self.base}{path}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), BROWSER_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        assert process.returncode == 0
        return output


@pytest.fixture
def program() -> str:
    """Chromium, where there is one; skips elsewhere."""
    return chromium()


@pytest.fixture
async def filled(tmp_path: Path) -> AsyncIterator[Site]:
    """A site with the corpus and a report that is hard to set: long words, a wide table."""
    async with open_site(tmp_path / "site") as site:
        await site.take(*corpus.ALL, REPORT)
        yield site


REPORT = corpus.tagged(
    corpus.note(
        "bruxelles",
        "BRU-2026-RAPPORT-ANNUEL-DE-LA-COORDINATION-0007",
        "2026-02-01",
        "Rapport : la coordination des régimes <de> sécurité sociale & "
        "l'interopérabilité" + "-transfrontalière" * 6,
        "Un mot sans fin : " + "anticonstitutionnellement" * 12 + "\n\n"
        + "\n".join("\t".join(f"colonne {n} ligne {m}" for n in range(14)) for m in range(6))
        + "\n\n<script>document.title = 'pris'</script>\n\n"
        + "La Belgique et le Luxembourg échangent leurs formulaires. " * 20,
        genre="rapport",
    ),
    {"protection_sociale.coordination": ("coordination", "formulaires")},
    {"BE": ("Belgique",)},
    {"LU": ("Luxembourg",)},
    minutes=30,
)  # fmt: skip


@pytest.fixture
async def browser(filled: Site, program: str, tmp_path: Path) -> AsyncIterator[Browser]:
    """A browser on a real server."""
    secret, now = new_secret(), datetime.now(UTC)
    filled.registry.begin_session(hash_of(secret), 1, now, now + timedelta(hours=1))
    asked = Asked(filled.app, f"valise={secret}".encode())
    async with served(asked) as base:
        yield Browser(program, tmp_path, base, asked)


async def seen(browser: Browser, path: str) -> Page:
    """The page as the browser has it, checked as every page is."""
    found = read((await browser.dom(path)).removeprefix("<!DOCTYPE html>"))
    check(found)
    return found


async def test_a_page_asks_for_nothing_but_its_style_and_its_picture(browser: Browser) -> None:
    found = await seen(browser, "/?q=coordination")
    assert len(found.all("article")) == 1
    assert set(browser.asked.paths) == {"/", "/static/valise.css", "/static/valise.svg"}


async def test_a_script_in_a_note_does_not_run(browser: Browser) -> None:
    found = await seen(browser, f"/notes/{REPORT.note_id}")
    assert found.one("title").text.startswith("Rapport : la coordination des régimes <de>")
    assert "<script>document.title = 'pris'</script>" in found.one("section", "text").text


async def test_a_search_goes_round_through_its_address(browser: Browser) -> None:
    path = "/?q=coordination&theme=protection_sociale&post=bruxelles&from=2026-01-01&sort=date"
    found = await seen(browser, path)
    sent = [
        (one["name"], one["value"])
        for one in found.all("input")
        if one.attributes.get("value")
        and "header" not in one.inside
        and (one["type"] != "checkbox" or "checked" in one.attributes)
    ]
    (chosen,) = [one for one in found.all("option") if "selected" in one.attributes]
    assert sorted([*sent, ("sort", chosen["value"])]) == sorted(parse_qsl(urlsplit(path).query))


async def test_links_between_tags_and_passages_lead_somewhere_real(browser: Browser) -> None:
    found = await seen(browser, f"/notes/{REPORT.note_id}")
    passages = [one["href"] for one in found.all("a") if one["href"].startswith("#passage-")]
    assert passages
    for href in passages:
        anchor = found.by_id(href.removeprefix("#"))
        assert "mark" in anchor.inside


async def test_no_page_is_wider_than_the_screen_it_is_read_on(browser: Browser) -> None:
    paths = ["/", "/?q=coordination", "/?q=zymurgie", "/fils", f"/notes/{REPORT.note_id}", "/rien"]
    browser.asked.framed = [(path, width) for path in paths for width in WIDTHS]
    measured = read((await browser.dom(FRAMES)).removeprefix("<!DOCTYPE html>"))
    found = [one.text for one in measured.all("li")]
    assert found == [f"{path} {width} {width}" for path, width in browser.asked.framed]


@pytest.mark.parametrize("width", [1280, 360])
async def test_a_picture_of_the_pages_can_be_taken(browser: Browser, width: int) -> None:
    for path in ("/?q=coordination", f"/notes/{REPORT.note_id}"):
        picture = (await browser.picture(path, width, 1600)).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert struct.unpack(">II", picture[16:24]) == (width, 1600)
        assert len(set(picture[100:10_000])) > 100, "nothing is drawn"

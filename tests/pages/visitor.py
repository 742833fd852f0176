"""Somebody with a browser: keeps cookies, follows forms, says where a request comes from."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.pages.html import Page, check, read

BASE = "http://127.0.0.1:8000"
PAGE = "text/html,application/xhtml+xml,*/*;q=0.8"


@dataclass
class Visitor:
    """A browser without script on an application; redirects are shown, not followed."""

    client: httpx.AsyncClient

    @classmethod
    def of(cls, app: Any, base: str = BASE) -> "Visitor":
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        return cls(httpx.AsyncClient(transport=transport, base_url=base))

    async def open(self, address: str) -> httpx.Response:
        """The answer to a click on a link to there."""
        return await self.client.get(address, headers={"Accept": PAGE})

    async def page(self, address: str, status: int = 200) -> Page:
        """The page at this address, checked as every page is."""
        answer = await self.open(address)
        assert answer.status_code == status, answer.text
        found = read(answer.text)
        check(found)
        return found

    async def send(
        self, address: str, fields: dict[str, str], site: str = "same-origin"
    ) -> httpx.Response:
        """The answer to a form; `site` is what the browser says of the page that sent it."""
        headers = {"Accept": PAGE, "Sec-Fetch-Site": site}
        return await self.client.post(address, data=fields, headers=headers)

    async def sign_in(self, key: str, suite: str = "/") -> httpx.Response:
        """The answer to the sign-in form with that key."""
        found = await self.page(f"/connexion?suite={suite}")
        return await self.send("/connexion", {**hidden(found), "cle": key})


def hidden(found: Page) -> dict[str, str]:
    """What a page's forms send without anything being typed, but the header's."""
    return {
        one["name"]: one["value"]
        for one in found.all("input")
        if one["type"] == "hidden" and "header" not in one.inside
    }


def sign_out_field(found: Page) -> dict[str, str]:
    """What the header's sign-out button sends."""
    return {one["name"]: one["value"] for one in found.all("input") if "header" in one.inside}

"""Probes get a plain answer, in time, whatever the checks do."""

import asyncio
import time

import httpx
import pytest
from fastapi import FastAPI

from services.runtime import health
from services.runtime.health import health_router


async def well() -> None:
    return None


async def answers() -> bool:
    return True


async def silent() -> bool:
    return False


async def stalled() -> str:
    return "no progress for 61 s, 3 records behind"


async def hangs() -> None:
    await asyncio.Event().wait()


async def breaks() -> None:
    raise ValueError("no such index")


async def probe(path: str, *, live=None, ready=None, limit: float = 3.0) -> httpx.Response:
    app = FastAPI()
    app.include_router(health_router(live=live or {}, ready=ready or {}, limit=limit))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://valise") as client:
        return await client.get(path)


async def test_a_well_service_answers_200_with_every_check():
    answer = await probe("/health/ready", ready={"log": answers, "index": well})
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "checks": {"log": "ok", "index": "ok"}}
    assert answer.headers["cache-control"] == "no-store"


async def test_one_failing_check_is_named_with_its_reason_and_answers_503():
    answer = await probe("/health/live", live={"worker": stalled, "other": well})
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "down",
        "checks": {"worker": "no progress for 61 s, 3 records behind", "other": "ok"},
    }


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (silent, "does not answer"),
        (breaks, "ValueError: no such index"),
        (hangs, "no answer within 0.1 s"),
    ],
)
async def test_a_check_that_fails_in_any_way_makes_the_service_unready(check, said):
    answer = await probe("/health/ready", ready={"index": check}, limit=0.1)
    assert (answer.status_code, answer.json()["checks"]) == (503, {"index": said})


async def test_slow_checks_are_waited_for_together_and_not_for_ever():
    started = time.monotonic()
    checks = {str(number): hangs for number in range(20)}
    answer = await probe("/health/ready", ready=checks, limit=0.2)
    assert answer.status_code == 503
    assert time.monotonic() - started < 2


async def test_liveness_and_readiness_are_asked_apart():
    assert (await probe("/health/live", live={}, ready={"log": silent})).status_code == 200
    assert (await probe("/health/ready", live={"worker": stalled}, ready={})).status_code == 200


async def test_checks_of_readiness_run_once_for_all_who_ask_in_a_moment(monkeypatch):
    ran = []

    async def counted() -> bool:
        ran.append(1)
        await asyncio.sleep(0)
        return len(ran) > 1

    app = FastAPI()
    app.include_router(health_router(live={}, ready={"log": counted}))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://valise") as client:

        async def ask() -> list[int]:
            answers = await asyncio.gather(*(client.get("/health/ready") for _ in range(20)))
            return [answer.status_code for answer in answers]

        now = 1_000.0
        monkeypatch.setattr(health, "monotonic", lambda: now)
        assert (await ask(), len(ran)) == ([503] * 20, 1)
        now += health.REMEMBERED_SECONDS
        assert (await ask(), len(ran)) == ([200] * 20, 2)

"""What a service counts and measures, and how Prometheus reads it at `/metrics`.

Counters and times are kept where they happen; what can be asked for (lag, age, disk) is asked for
when somebody scrapes. Names, labels and alerts are described in docs/observability.md.
"""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fastapi import APIRouter, FastAPI, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

OURS = "valise_"

LIMIT_SECONDS = 3.0
"""For what a scrape asks of the engines: Prometheus gives up after 10 s, a lag after 5."""

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""From a note classified (2 ms) to the promised end of an answer (5 s) and beyond."""

JOURNEY = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 14400.0)
"""From POST to visible: a second on a quiet day, hours after an outage."""

disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

OUTCOMES = Counter(
    "valise_outcomes",
    "Messages by the one word in which their handling ended.",
    ["service", "topic", "outcome"],
    registry=REGISTRY,
)
RETRIED = Counter(
    "valise_retried",
    "Records of batches that were tried again.",
    ["service", "topic"],
    registry=REGISTRY,
)
DEAD_LETTERS = Counter(
    "valise_dead_letters",
    "Dead letters written, by the topic that the record came from.",
    ["service", "topic"],
    registry=REGISTRY,
)
STAGES = Histogram(
    "valise_stage_seconds",
    "Time per stage: request and append (ingest), classify (one note), index (one batch).",
    ["service", "stage"],
    buckets=QUICK,
    registry=REGISTRY,
)
END_TO_END = Histogram(
    "valise_end_to_end_seconds",
    "From the receipt of a change of a note to its place in the index.",
    buckets=JOURNEY,
    registry=REGISTRY,
)
SEARCH = Histogram(
    "valise_search_seconds",
    "Time of a search in the index, as pages, API and feeds ask for it.",
    buckets=QUICK,
    registry=REGISTRY,
)
REQUESTS = Counter(
    "valise_http_requests",
    "HTTP requests answered, by the pattern of their path.",
    ["method", "path", "status"],
    registry=REGISTRY,
)

REFUSED = Counter(
    "valise_refused",
    "Requests refused by a limit: busy, at_once, rate, failures, query, body, slow, address, "
    "headers, malformed.",
    ["kind"],
    registry=REGISTRY,
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others count as OTHER: a caller must not be able to make up series."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How a worker stands. `lag` is None where the log does not tell.

    `age` is how many seconds ago it last finished something, or had nothing to do; 0 while it has
    nothing to do. `failures` in a row made it wait with `waiting` records in hand.
    """

    service: str
    topic: str
    group: str
    up: bool
    lag: int | None
    age: float
    failures: int
    waiting: int


class Watched(Protocol):
    """A worker, as far as metrics know it."""

    async def seen(self) -> Seen:
        """How it stands now."""
        ...


Elsewhere = Callable[[], Awaitable[bytes]]
"""The exposition of another process of ours; empty where that one does not answer."""


def begin(service: str, topic: str) -> None:
    """Have the counters that alerts look at stand at 0: a first 1 out of nothing is no increase."""
    RETRIED.labels(service, topic)
    DEAD_LETTERS.labels(service, topic)
    OUTCOMES.labels(service, topic, "parked")


def install(
    app: FastAPI,
    workers: Sequence[Watched] = (),
    *,
    folder: Path | None = None,
    elsewhere: Elsewhere | None = None,
) -> None:
    """Count the application's requests and answer `/metrics`.

    `folder` is a data folder whose disk is looked at.
    """
    app.add_middleware(_Counted)
    router = APIRouter(tags=["health"])

    @router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(
            await exposition(workers, folder=folder, elsewhere=elsewhere),
            headers={"Content-Type": CONTENT_TYPE_LATEST},
        )

    app.include_router(router)


async def exposition(
    workers: Sequence[Watched] = (),
    *,
    folder: Path | None = None,
    elsewhere: Elsewhere | None = None,
) -> bytes:
    """All figures of this process, and those of another, in Prometheus' text format."""
    standing, other = await asyncio.gather(
        asyncio.gather(*(_seen(worker) for worker in workers)),
        elsewhere() if elsewhere is not None else _nothing(),
    )
    return generate_latest(
        _Families(
            [
                *REGISTRY.collect(),
                *_gauges([each for each in standing if each is not None]),
                *(_disk(folder) if folder is not None else ()),
                *_ours(other),
            ]
        )
    )


async def _nothing() -> bytes:
    return b""


async def _seen(worker: Watched) -> Seen | None:
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            return await worker.seen()
    except Exception as error:
        # The other figures are told all the same.
        logger.warning("a consumer's figures are left out: %s", error or type(error).__name__)
        return None


def _gauges(standing: Iterable[Seen]) -> list[Metric]:
    labels = ["service", "topic", "group"]
    up = GaugeMetricFamily(
        "valise_consumer_up", "1 while a consumer gets anywhere, 0 when stopped.", labels=labels
    )
    lag = GaugeMetricFamily(
        "valise_lag_records", "Records written and not yet committed by the group.", labels=labels
    )
    age = GaugeMetricFamily(
        "valise_consumer_age_seconds",
        "Time without anything finished while there is work; for search, the index's age.",
        labels=labels,
    )
    failures = GaugeMetricFamily(
        "valise_retry_failures", "Failures in a row of the batch in hand.", labels=labels
    )
    waiting = GaugeMetricFamily(
        "valise_retry_queue_records", "Records that wait for their next try.", labels=labels
    )
    for each in standing:
        values = [each.service, each.topic, each.group]
        up.add_metric(values, float(each.up))
        age.add_metric(values, each.age)
        failures.add_metric(values, each.failures)
        waiting.add_metric(values, each.waiting)
        if each.lag is not None:
            lag.add_metric(values, each.lag)
    return [up, lag, age, failures, waiting]


def _disk(folder: Path) -> list[Metric]:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return []
    return [
        GaugeMetricFamily(
            "valise_data_free_bytes", "Free on the disk of the data folder.", value=usage.free
        ),
        GaugeMetricFamily(
            "valise_data_size_bytes", "Size of the disk of the data folder.", value=usage.total
        ),
    ]


def _ours(text: bytes) -> list[Metric]:
    """The families of another process without its memory and files, which are not ours."""
    families = text_string_to_metric_families(text.decode())
    return [family for family in families if family.name.startswith(OURS)]


class _Families:
    """Families with every name once, as the format demands; what two processes count is added."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """What generate_latest asks for."""
        by_name: dict[str, list[Metric]] = {}
        for family in self._families:
            by_name.setdefault(family.name, []).append(family)
        return [_added(same) for same in by_name.values()]


def _added(same: Sequence[Metric]) -> Metric:
    if len(same) == 1:
        return same[0]
    values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in same:
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            values[key] = values.get(key, 0.0) + sample.value
    first = same[0]
    added = Metric(first.name, first.documentation, first.type)
    added.samples = [
        Sample(name, dict(labels), value, None, None) for (name, labels), value in values.items()
    ]
    return added


class _Counted:
    """ASGI middleware: counts each request under its route's pattern, never its address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "OTHER"
            REQUESTS.labels(method, path, str(status)).inc()

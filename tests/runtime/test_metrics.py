"""Figures for Prometheus: what a worker tells, and two processes' figures in one answer."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.topics import ALL, SUBMITTED, SUBMITTED_DEAD
from services.runtime import metrics
from services.runtime.errors import Unavailable
from services.runtime.log import Entry, Record
from services.runtime.log.sqlite import SqliteLog
from services.runtime.metrics import Seen, exposition
from services.runtime.worker import Backoff, Done, Parked, Worker
from tests.contract.log_places import eventually

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: bytes) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(text: bytes, name: str, **labels: str) -> float | None:
    return samples(text).get((name, frozenset(labels.items())))


class Bench:
    """A worker on a real log, whose work an engine that is away holds up."""

    def __init__(self, folder: Path, service: str) -> None:
        self.now = 0.0
        self.away = False
        self.log = SqliteLog(folder / "log")
        self.names = {"service": service, "topic": SUBMITTED.name}
        self.worker = Worker(
            service=service,
            log=self.log,
            topic=SUBMITTED,
            dead=SUBMITTED_DEAD,
            group="g",
            process=self._process,
            backoff=Backoff(first=0.01, limit=0.01),
            clock=lambda: self.now,
        )

    async def _process(self, records: Sequence[Record]) -> Sequence[Done | Parked]:
        if self.away:
            raise Unavailable("the engine is away")
        return [Parked("no") if record.value == b"bad" else Done("done") for record in records]

    async def start(self) -> None:
        await self.log.provision(ALL)
        self.worker.subscribe()
        await self.log.start()

    async def add(self, *values: bytes) -> None:
        await self.log.append(SUBMITTED.name, [Entry(b"k", each) for each in values])


async def test_outcomes_retries_and_dead_letters_are_counted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "counted")
    text = await exposition([bench.worker])
    assert value(text, "valise_dead_letters_total", **bench.names) == 0
    assert value(text, "valise_consumer_up", group="", **bench.names) == 0  # not subscribed
    bench.away = True
    await bench.start()
    await bench.add(b"good", b"bad", b"good")
    await eventually(lambda: bench.worker.counts["retried"] >= 6)
    seen = await bench.worker.seen()
    assert seen == Seen(
        **bench.names, group="g", up=True, lag=3, age=0.0, failures=seen.failures, waiting=3
    )
    assert seen.failures >= 2
    bench.away = False
    await eventually(lambda: bench.worker.counts["parked"] == 1)
    text = await exposition([bench.worker])
    await bench.log.stop()
    assert value(text, "valise_outcomes_total", outcome="done", **bench.names) == 2
    assert value(text, "valise_outcomes_total", outcome="parked", **bench.names) == 1
    assert value(text, "valise_dead_letters_total", **bench.names) == 1
    retried = value(text, "valise_retried_total", **bench.names)
    assert retried == bench.worker.counts["retried"]
    assert value(text, "valise_retry_queue_records", group="g", **bench.names) == 0
    assert value(text, "valise_retry_failures", group="g", **bench.names) == 0


async def test_age_counts_only_while_there_is_work(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "aged")
    await bench.start()
    bench.now = 1_000.0
    assert (await bench.worker.seen()).age == 0
    bench.away = True
    bench.now = 1_010.0
    await bench.add(b"good")
    await eventually(lambda: bench.worker.counts["retried"] > 0)
    assert (await bench.worker.seen()).age == 10
    bench.now = 1_100.0
    assert (await bench.worker.seen()).age == 100
    bench.away = False
    await eventually(lambda: bench.worker.counts["done"] == 1)
    assert (await bench.worker.seen()).age == 0
    await bench.log.stop()


async def test_a_log_that_is_away_costs_the_lag_and_nothing_else(tmp_path: Path) -> None:
    class Away(Bench):
        async def seen(self) -> Seen:
            return Seen(**self.names, group="g", up=True, lag=None, age=7.0, failures=0, waiting=0)

    away = Away(tmp_path, "away")
    text = await exposition([away])
    assert value(text, "valise_lag_records", group="g", **away.names) is None
    assert value(text, "valise_consumer_age_seconds", group="g", **away.names) == 7


async def test_figures_of_two_processes_are_added_and_each_family_told_once() -> None:
    metrics.OUTCOMES.labels("s", "added", "done").inc(2)
    metrics.STAGES.labels("s", "added").observe(0.003)
    here = await exposition()

    async def other() -> bytes:
        return here.replace(b'stage="added"', b'stage="other"')

    text = await exposition(elsewhere=other)
    labels = {"service": "s", "topic": "added", "outcome": "done"}
    assert value(text, "valise_outcomes_total", **labels) == 4
    for stage in ("added", "other"):
        assert value(text, "valise_stage_seconds_count", service="s", stage=stage) == 1
        le = {"service": "s", "stage": stage, "le": "0.005"}
        assert value(text, "valise_stage_seconds_bucket", **le) == 1
    described = [line for line in text.splitlines() if line.startswith(b"# TYPE")]
    assert len(described) == len(set(described))
    # Memory and files are those of the process that answers, not the sum of two.
    assert text.count(b"\nprocess_resident_memory_bytes ") == 1


@pytest.mark.parametrize("silent", [b""])
async def test_another_process_that_is_silent_takes_nothing_away(silent: bytes) -> None:
    async def other() -> bytes:
        return silent

    text = await exposition(elsewhere=other)
    assert samples(text).keys() == samples(await exposition()).keys()


async def test_a_folder_that_is_gone_costs_the_disk_and_nothing_else(tmp_path: Path) -> None:
    text = await exposition(folder=tmp_path / "gone")
    assert value(text, "valise_data_free_bytes") is None
    assert value(await exposition(folder=tmp_path), "valise_data_free_bytes") is not None

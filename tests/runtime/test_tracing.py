"""Traces: from the POST to the index across the log, and nothing where nobody collects them."""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from schemas.events import encode
from schemas.topics import ALL, CLASSIFIED, SUBMITTED
from services.classify import handlers as classify
from services.ingest.submit import submit
from services.runtime import tracing
from services.runtime.errors import Misconfigured
from services.runtime.log import Record
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import Registry, Submission
from services.search import handlers as search
from services.search.index.embedded import TantivyIndex
from tests.builders import a_note, an_event
from tests.pipeline.deployments import free_port

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
GIVEN = f"00-{TRACE}-{CALLER}-01"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    with tracing.through(SimpleSpanProcessor(exporter)):
        yield exporter


async def journey(folder: Path, trace: str | None) -> tuple[Record, Record]:
    """One note from submission to index; the records of both topics."""
    log, registry = SqliteLog(folder / "log"), Registry(f"sqlite:///{folder / 'registry'}")
    index = TantivyIndex(folder / "index")
    registry.migrate()
    await log.provision(ALL)
    await index.start()
    try:
        event = an_event(a_note(), trace=trace)
        await submit(registry, log, [Submission(event, "hash")])
        (submitted,) = [one async for batch in log.replay(SUBMITTED.name) for one in batch]
        await classify.processor(log)([submitted])
        (classified,) = [one async for batch in log.replay(CLASSIFIED.name) for one in batch]
        await search.processor(index, registry)([classified])
    finally:
        await log.stop()
        await index.stop()
        registry.close()
    return submitted, classified


def named(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def ids(span: ReadableSpan) -> tuple[str, str, str]:
    """Trace, span, parent."""
    assert span.context is not None
    parent = "" if span.parent is None else f"{span.parent.span_id:016x}"
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}", parent


async def test_each_step_is_the_child_of_the_step_before(
    tmp_path: Path, exporter: InMemorySpanExporter
) -> None:
    submitted, classified = await journey(tmp_path, GIVEN)
    spans = named(exporter)
    assert spans.keys() == {"append", "classify", "index"}
    append, classify_, index = (ids(spans[name]) for name in ("append", "classify", "index"))
    assert {append[0], classify_[0], index[0]} == {TRACE}
    assert append[2] == CALLER
    assert classify_[2] == append[1]
    assert index[2] == classify_[1]
    assert submitted.headers["traceparent"] == f"00-{TRACE}-{append[1]}-01".encode()
    assert classified.headers["traceparent"] == f"00-{TRACE}-{classify_[1]}-01".encode()


async def test_without_tracing_the_senders_trace_is_handed_on(tmp_path: Path) -> None:
    submitted, classified = await journey(tmp_path, GIVEN)
    assert submitted.headers["traceparent"] == GIVEN.encode()
    assert classified.headers["traceparent"] == GIVEN.encode()


async def test_without_tracing_and_without_a_trace_records_have_no_header(tmp_path: Path) -> None:
    submitted, classified = await journey(tmp_path, None)
    assert "traceparent" not in submitted.headers
    assert "traceparent" not in classified.headers


async def test_an_event_that_came_without_a_header_hangs_on_its_own_trace(
    tmp_path: Path, exporter: InMemorySpanExporter
) -> None:
    log = SqliteLog(tmp_path / "log")
    await log.provision(ALL)
    event = an_event(trace=GIVEN)
    key = str(event.note_id).encode()
    record = Record(SUBMITTED.name, 0, 0, key, encode(event), {}, 0)
    await classify.processor(log)([record, replace(record, headers={"traceparent": b"\xff"})])
    await log.stop()
    first, second = exporter.get_finished_spans()
    assert ids(first)[0] == TRACE
    assert ids(first)[2] == CALLER
    assert ids(second)[2] == ""  # a header that is none begins a trace of its own


def test_a_step_that_fails_is_marked_without_its_words(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="secret"), tracing.span("ingest", "append", GIVEN):
        raise ValueError("secret")
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "ValueError"
    assert "secret" not in span.to_json()


def test_a_sender_that_samples_nothing_is_heeded(exporter: InMemorySpanExporter) -> None:
    with tracing.span("ingest", "POST", GIVEN.removesuffix("01") + "00") as trace:
        assert trace is not None
        assert trace.startswith(f"00-{TRACE}-")
        assert trace.endswith("-00")
    assert exporter.get_finished_spans() == ()


def test_a_collector_that_is_away_does_not_delay_the_end() -> None:
    away = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{free_port()}/v1/traces")
    began = time.monotonic()
    with tracing.through(BatchSpanProcessor(away)), tracing.span("ingest", "POST", None):
        pass
    assert time.monotonic() - began < 5 * tracing.FLUSH_SECONDS


def test_a_collector_without_the_libraries_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with (
        pytest.raises(Misconfigured, match="tracing"),
        tracing.started({tracing.ENDPOINT: "http://127.0.0.1:4318"}),
    ):
        pass


def test_no_collector_no_spans() -> None:
    with tracing.started({}), tracing.span("ingest", "POST", GIVEN) as trace:
        assert trace == GIVEN
        assert tracing.finished("search", "index", None, 0) is None

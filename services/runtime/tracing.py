"""Traces that follow a note from POST to index, for a collector of OpenTelemetry.

Off unless OTEL_EXPORTER_OTLP_ENDPOINT is set. A span is handed on as its W3C traceparent: in the
`trace` field of the event and in the `traceparent` header of each record. While tracing is off,
what the sender gave is handed on as it came.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from services.runtime.errors import Misconfigured
from services.runtime.log import Record

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import Span

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
HEADER = "traceparent"

FLUSH_SECONDS = 1.5
"""For the last spans at the end: a collector that is away must not delay the 10 s of a stop."""

Attributes = Mapping[str, str | int]


class _Tracing:
    """The SDK behind this module: one processor, and a provider for each service that it tells."""

    def __init__(self, processor: "SpanProcessor") -> None:
        self._processor = processor
        self._providers: dict[str, TracerProvider] = {}

    def begin(
        self, service: str, name: str, parent: str | None, began_ns: int, attributes: Attributes
    ) -> "Span":
        tracer = self._provider(service).get_tracer(f"valise.{service}")
        return tracer.start_span(
            name, context=_context(parent), start_time=began_ns, attributes=dict(attributes)
        )

    def end(self) -> None:
        thread = threading.Thread(target=self._processor.shutdown, daemon=True)
        thread.start()
        thread.join(FLUSH_SECONDS)

    def _provider(self, service: str) -> "TracerProvider":
        provider = self._providers.get(service)
        if provider is None:
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

            provider = TracerProvider(
                resource=Resource.create(
                    {
                        "service.name": f"valise-{service}",
                        "service.version": _version(),
                        "process.pid": os.getpid(),
                    }
                ),
                shutdown_on_exit=False,
            )
            provider.add_span_processor(self._processor)
            self._providers[service] = provider
        return provider


_tracing: _Tracing | None = None
"""Set once, when the process starts."""


@contextmanager
def started(env: Mapping[str, str]) -> Iterator[None]:
    """Traces go to the collector that the environment names, if it does, while in the block.

    Raises Misconfigured where one is named and the libraries of the extra `tracing` are missing.
    """
    if not env.get(ENDPOINT):
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise Misconfigured(
            f"{ENDPOINT} est donné, mais l'extension « tracing » n'est pas installée"
        ) from None
    # It warns at every span that a collector which is away cannot take.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    with through(BatchSpanProcessor(OTLPSpanExporter())):
        yield


@contextmanager
def through(processor: "SpanProcessor") -> Iterator[None]:
    """Spans go to that processor while in the block; it is shut down at the end."""
    global _tracing  # noqa: PLW0603  (a process has one)
    _tracing = _Tracing(processor)
    try:
        yield
    finally:
        ending, _tracing = _tracing, None
        ending.end()


@contextmanager
def span(
    service: str, name: str, parent: str | None, attributes: Attributes | None = None
) -> Iterator[str | None]:
    """A span around the block; its traceparent, or the parent's while tracing is off."""
    if _tracing is None:
        yield parent
        return
    under_way = _tracing.begin(service, name, parent, time.time_ns(), attributes or {})
    try:
        yield _traceparent(under_way)
    except BaseException as error:
        _failed(under_way, error)
        raise
    finally:
        under_way.end()


def finished(
    service: str, name: str, parent: str | None, began_ns: int, attributes: Attributes | None = None
) -> str | None:
    """Tell a span that began then (UTC epoch, nanoseconds) and ends now; as `span` otherwise."""
    if _tracing is None:
        return parent
    done = _tracing.begin(service, name, parent, began_ns, attributes or {})
    done.end()
    return _traceparent(done)


def headers(trace: str | None) -> dict[str, bytes]:
    """The header that hands a trace on with a record."""
    return {} if trace is None else {HEADER: trace.encode("ascii", "replace")}


def parent_of(record: Record, trace: str | None) -> str | None:
    """Whose child the handling of a record is: as its header says, else as its event does."""
    given = record.headers.get(HEADER)
    return trace if given is None else given.decode("ascii", "replace")


def _context(parent: str | None) -> "Context":
    from opentelemetry.context import Context  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    # An empty context, not the current one: what a thread did before is nobody's parent.
    carrier = {} if parent is None else {HEADER: parent}
    return TraceContextTextMapPropagator().extract(carrier, Context())


def _traceparent(of: "Span") -> str:
    context = of.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _failed(under_way: "Span", error: BaseException) -> None:
    """Only the kind of error: its message may quote the note."""
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

    under_way.set_status(Status(StatusCode.ERROR, type(error).__name__))


def _version() -> str:
    try:
        return version("valise-notes")
    except PackageNotFoundError:
        return "unknown"

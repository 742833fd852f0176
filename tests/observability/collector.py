"""A collector of traces: a real HTTP server that takes OTLP as protobuf and keeps the spans."""

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Collected:
    """One span as it arrived."""

    service: str
    pid: int
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str | int]


class Collector:
    """The spans that came so far."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.spans: list[Collected] = []
        self.raw = b""

    def of_trace(self, trace: str, count: int, within: float = 60.0) -> list[Collected]:
        """The spans of that trace, once there are so many."""
        until = time.monotonic() + within
        while True:
            found = [span for span in list(self.spans) if span.trace == trace]
            if len(found) >= count or time.monotonic() > until:
                return found
            time.sleep(0.05)


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            collector.raw += body
            collector.spans += decoded(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing: the tests' output is for failures."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        collector = Collector(server.server_port)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def decoded(body: bytes) -> list[Collected]:
    """The spans in one request."""
    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    return [
        Collected(
            service=_values(resource.resource.attributes)["service.name"],  # type: ignore[arg-type]
            pid=int(_values(resource.resource.attributes)["process.pid"]),
            name=span.name,
            trace=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            attributes=_values(span.attributes),
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _values(attributes: object) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for each in attributes:  # type: ignore[attr-defined]
        kind = each.value.WhichOneof("value")
        found[each.key] = getattr(each.value, kind)
    return found

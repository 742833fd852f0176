"""A service whose every word is meant to act on the terminal of who reads it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.cli.test_reclassify import SUMMARY

WORDS = (
    "\x1b]0;PWNED\x07\x1b[2J\x9b31m\u202e\u2066\u200b\u2028\u0085\r"
    "[bold]x[/bold] [link=x]\nFAUX \x7f"
)
"""Names the window, clears the screen, turns the line round, begins a line of its own."""
AT = "2026-03-04T12:00:00+00:00"

Answer = tuple[int, Any]

_LETTER = {
    "number": 1, "state": WORDS, "at": AT, "service": WORDS, "note_id": WORDS, "reason": WORDS,
    "origin": WORDS, "replays": 1, "replayed_at": AT, "hint": WORDS,
    "headers": {WORDS: {"encoding": "text", "data": WORDS}},
    "key": {"encoding": "base64", "data": WORDS},
    "value": {"encoding": "text", "data": WORDS.replace("\n", " ")},
}  # fmt: skip
_KEY = {
    "number": 1, "name": WORDS, "key": WORDS, "revoked_at": None, "expires_at": None,
    "last_used_at": AT,
    "rights": {
        "roles": ["read", WORDS], "posts": [WORDS], "clearance": WORDS, "special_france": True,
    },
}  # fmt: skip
_TAGS = {
    "themes": [{"theme": "travail", "subthemes": [WORDS], "evidence": [{"text": WORDS}]}],
    "countries": [{"country": "DE", "role": "about", "evidence": [{"text": WORDS}]}],
    "organisations": [{"id": WORDS, "evidence": [{"text": WORDS}]}],
    "warnings": [WORDS],
}
_READ = {"subject": WORDS, "reference": WORDS, "date": WORDS, "cites": [WORDS]}
_RECEIPT = {
    "id": WORDS, "revision": WORDS, "correction": WORDS, "outcome": "accepted",
    "warnings": [WORDS], "state": WORDS, "read": _READ,
}  # fmt: skip
_HIT = {
    "id": WORDS, "subject": WORDS, "post": WORDS, "reference": WORDS, "date": WORDS,
    "genre": WORDS, "marking": WORDS, "special_france": True, "countries": [],
    "themes": [{"theme": "travail", "subthemes": [WORDS]}], "highlights": {"body": [WORDS]},
}  # fmt: skip
_ENTRY = {
    "number": 1, "at": AT, "who": WORDS, "name": WORDS, "action": WORDS, "object": WORDS,
    "details": {"tried": WORDS, WORDS: [WORDS]}, "address": WORDS,
}  # fmt: skip
_PLACE = {
    "state": WORDS, "parked_at": None, "indexed_at": None, "received_at": AT, "reference": WORDS,
    "revision": WORDS, "parked_reason": WORDS,
}  # fmt: skip
_NOTE = {
    "themes": [], "countries": [],
    "note": {"subject": WORDS, "body": WORDS, "post": "berlin", "marked_spans": []},
}  # fmt: skip
_DONE = {"seconds": 1.0, "notes": 1, "withdrawn": 1, "refused": 1, "unreadable": 1}
_EXAMPLE = {"id": WORDS, "subject": WORDS, "added": [f"theme:{WORDS}"], "removed": [WORDS]}

ANSWERS: dict[str, Answer] = {
    "GET /api/v1/me": (200, {"posts": ["berlin"]}),
    "GET /api/v1/search": (
        200,
        {"total": 1, "took_ms": 1, "relaxed": True, "hits": [_HIT], "next": WORDS},
    ),
    "GET /api/v1/notes": (200, {"notes": [_PLACE], "next": None}),
    "POST /api/v1/notes": (202, _RECEIPT),
    "PUT /api/v1/notes/": (202, _RECEIPT),
    "DELETE /api/v1/notes/": (202, _RECEIPT),
    "GET /api/v1/notes/": (200, _NOTE),
    "GET trace": (
        200,
        {
            "id": WORDS,
            "revision": WORDS,
            "state": WORDS,
            "steps": [{"step": WORDS, "at": AT, "detail": WORDS}],
        },
    ),
    "POST corrections": (202, _RECEIPT),
    "POST expunge": (200, {"id": WORDS, "finished_at": AT}),
    "POST /api/v1/preview": (200, _TAGS | {"name": WORDS, "read": _READ}),
    "GET /api/v1/corrections": (200, [{"text": WORDS}]),
    "GET /api/v1/dead-letters": (200, {"letters": [_LETTER], "next": None}),
    "GET /api/v1/dead-letters/": (200, _LETTER),
    "POST /api/v1/dead-letters/replay": (
        200,
        {"replayed": 1, "refused": [{"number": 1, "detail": WORDS}], "next": None},
    ),
    "GET /api/v1/keys": (200, {"keys": [_KEY]}),
    "POST /api/v1/keys": (201, _KEY),
    "POST rotate": (201, _KEY),
    "DELETE /api/v1/keys/": (200, _KEY),
    "POST /api/v1/sign-in-links": (201, {"url": WORDS, "expires_at": AT}),
    "GET /api/v1/journal": (200, {"entries": [_ENTRY], "next": None}),
    "GET /api/v1/journal/verify": (
        200,
        {"faults": [{"number": 1, "detail": WORDS}], "whole": False, "entries": 1, "head": WORDS},
    ),
    "POST /api/v1/index/rebuild": (
        200,
        [{"progress": {"step": WORDS, "done": 1}}, {"summary": _DONE | {"complete": True}}],
    ),
    "POST /api/v1/reclassify": (
        200,
        [
            {"progress": {"step": WORDS, "done": 1, "of": 2}},
            {"summary": SUMMARY | {"release": WORDS, "examples": [_EXAMPLE]}},
        ],
    ),
}
"""What is answered by method and path, to the end of a path that goes on, or by its last part."""

PROBLEM = {"title": WORDS, "detail": WORDS, "errors": [{"field": WORDS, "detail": f"{WORDS}!"}]}


@contextmanager
def hostile_service() -> Iterator[str]:
    """Its address; below `/refusing` it refuses everything, below `/broken` it speaks no JSON."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hostile)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Hostile(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        status, said = self._said(path)
        lines = said if isinstance(said, list) else [said]
        # As it is: what JSON may leave unescaped comes unescaped.
        content = "\n".join(json.dumps(each, ensure_ascii=False) for each in lines).encode()
        if path.startswith("/broken"):
            status, content = 422, WORDS.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", '"1.0.1"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _said(self, path: str) -> Answer:
        if path.startswith("/refusing"):
            return 422, PROBLEM
        above, _, last = path.rpartition("/")
        for address in (path, last, f"{above}/"):
            if f"{self.command} {address}" in ANSWERS:
                return ANSWERS[f"{self.command} {address}"]
        return 404, PROBLEM

    def log_message(self, *_: object) -> None:
        """Nothing of it matters."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

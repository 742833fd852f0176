"""Many notes in one request: NDJSON in, one answer a line out."""

import json
import tracemalloc
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.body import lines
from services.ingest.many import CHUNK_LINES
from tests.ingest.conftest import BERLIN, Office, listening, open_office
from tests.keys import HEADERS


def line(number: int, **changes: Any) -> bytes:
    return json.dumps(BERLIN | {"reference": f"BER-{number}"} | changes).encode()


async def test_each_line_gets_its_own_outcome_in_order(office: Office) -> None:
    await office.send(reference="BER-2")
    answers = await office.send_lines(
        line(1),
        line(2),
        line(2, subject="Apprentissage"),
        b"",
        b"pas du JSON",
        line(3, post="paris"),
        line(4, marking="secret"),
        line(4),
    )
    assert [(each["line"], each["status"], each["outcome"]) for each in answers] == [
        (1, 202, "accepted"),
        (2, 200, "duplicate"),
        (3, 409, "conflict"),
        (5, 400, "refused"),
        (6, 422, "refused"),
        (7, 422, "refused"),
        (8, 202, "accepted"),
    ]
    assert answers[2]["problem"]["errors"][0]["field"] == "subject"
    assert answers[4]["problem"]["errors"][0]["field"] == "post"
    assert {event.note.reference for event in await office.logged()} == {"BER-1", "BER-2", "BER-4"}


async def test_a_reference_twice_in_one_request_is_one_note(office: Office) -> None:
    answers = await office.send_lines(line(1), line(1), line(1, subject="Apprentissage"))
    assert [each["outcome"] for each in answers] == ["accepted", "duplicate", "conflict"]
    assert [each["state"] for each in answers[:2]] == ["received", "received"]
    assert len(await office.logged()) == 1


async def test_the_last_line_may_lack_its_end_and_lines_may_end_as_on_windows(
    office: Office,
) -> None:
    response = await office.send_raw(
        b"\xef\xbb\xbf" + line(1) + b"\r\n\r\n  \r\n" + line(2), "application/x-ndjson"
    )
    found = [json.loads(each) for each in response.text.splitlines()]
    assert [(each["line"], each["status"]) for each in found] == [(1, 202), (4, 202)]


async def test_no_line_gets_no_answer(office: Office) -> None:
    assert await office.send_lines(b"") == []


async def test_a_line_that_is_too_long_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    async with open_office(tmp_path, max_body_bytes=2_000) as office:
        answers = await office.send_lines(line(1), line(2, body="x" * 9_000), line(3))
    assert [(each["line"], each["status"]) for each in answers] == [(1, 202), (2, 413), (3, 202)]


async def test_a_request_that_is_too_long_is_refused_before_any_line_is_taken(
    tmp_path: Path,
) -> None:
    async with open_office(tmp_path, max_ndjson_bytes=5_000) as office:
        body = b"\n".join(line(number) for number in range(100))
        response = await office.send_raw(body, "application/x-ndjson")
        assert response.status_code == 413
        assert await office.logged() == []


async def test_notes_longer_than_a_chunk_keep_their_order(office: Office) -> None:
    count = 2 * CHUNK_LINES + 7
    answers = await office.send_lines(*(line(number) for number in range(count)))
    assert [each["line"] for each in answers] == list(range(1, count + 1))
    assert {each["outcome"] for each in answers} == {"accepted"}
    assert len(await office.logged()) == count


async def test_without_the_log_every_line_may_be_sent_again(office: Office) -> None:
    sent = [line(number) for number in range(2 * CHUNK_LINES)] + [b"pas du JSON"]
    with office.away("log"):
        answers = await office.send_lines(*sent)
    assert [each["status"] for each in answers] == [503] * 2 * CHUNK_LINES + [400]
    again = await office.send_lines(*sent)
    assert {each["status"] for each in again[:CHUNK_LINES]} == {200}
    assert {each["status"] for each in again[CHUNK_LINES:-1]} == {202}
    assert {each["state"] for each in again[:-1]} == {"received"}
    found = {event.note.reference for event in await office.logged()}
    assert len(found) == 2 * CHUNK_LINES


async def test_a_client_that_reads_only_after_writing_gets_every_answer(tmp_path: Path) -> None:
    """12,000 answers are more than the sockets hold: answering too early would stop both sides."""
    count = 12_000

    async def body() -> AsyncIterator[bytes]:
        for number in range(count):
            yield line(number) + b"\n"

    async with open_office(tmp_path) as office, listening(office.app) as address:
        async with httpx.AsyncClient(timeout=120, headers=HEADERS) as client:
            response = await client.post(
                f"{address}/api/v1/notes",
                content=body(),
                headers={"Content-Type": "application/x-ndjson"},
            )
        assert response.status_code == 200
        assert response.text.count('"accepted"') == count


@pytest.mark.slow
async def test_memory_stays_flat_however_many_lines_come(tmp_path: Path) -> None:
    """40 MB of notes of 10 KB: what is held at once is a chunk, not the request."""

    async def body() -> AsyncIterator[bytes]:
        for number in range(4_000):
            yield line(number, body="La réforme des retraites. " * 380) + b"\n"

    answered = 0
    async with (
        open_office(tmp_path) as office,
        listening(office.app) as address,
        httpx.AsyncClient(timeout=120, headers=HEADERS) as client,
    ):
        tracemalloc.start()
        async with client.stream(
            "POST",
            f"{address}/api/v1/notes",
            content=body(),
            headers={"Content-Type": "application/x-ndjson"},
        ) as response:
            async for _ in response.aiter_lines():
                answered += 1
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert answered == 4_000
    assert peak < 25 * 1024 * 1024


pieces = st.lists(st.sampled_from([b"a", b" ", b"\n", b"\r\n", b"aaaa", b"\r"]), max_size=40)


@given(pieces, st.integers(1, 6))
def test_lines_are_those_an_editor_shows(parts: list[bytes], limit: int) -> None:
    text = b"".join(parts)
    expected: list[tuple[int, bytes | None]] = []
    for number, each in enumerate(text.split(b"\n"), start=1):
        content = each.rstrip(b"\r")
        if len(content) > limit:
            expected.append((number, None))
        elif content.strip():
            expected.append((number, content))
    assert [(each.number, each.raw) for each in lines(BytesIO(text), limit)] == expected


@pytest.mark.parametrize(
    "kind",
    [
        "application/jsonl",
        "application/ndjson; charset=utf-8",
        "application/x-jsonlines",
        "Application/JSONL; charset='UTF-8'",
        "application/json-lines;charset=utf8",
    ],
)
async def test_lines_of_json_are_taken_under_each_of_their_names(office: Office, kind: str) -> None:
    answer = await office.send_raw(line(1) + b"\n" + line(2), kind)
    assert answer.status_code == 200, answer.text
    assert [json.loads(each)["outcome"] for each in answer.text.splitlines()] == ["accepted"] * 2


@pytest.mark.parametrize("kind", ["application/jsonl; charset=latin-1", "application/jsonx"])
async def test_what_is_no_lines_of_json_in_utf_8_stays_refused(office: Office, kind: str) -> None:
    assert (await office.send_raw(line(1), kind)).status_code == 415

"""The line between a server and its child: asked, answered late, and cut."""

import asyncio
import threading
from collections.abc import Callable, Coroutine

from services.runtime import line as lines
from services.runtime.line import Line, answer_until_end

Answer = Callable[[], Coroutine[None, None, bytes]]


def listening(line: Line, answer: Answer) -> threading.Thread:
    """The child's side, in a thread."""
    loop = asyncio.get_running_loop()
    thread = threading.Thread(target=answer_until_end, args=(line.theirs.fileno(), loop, answer))
    thread.start()
    return thread


async def ended(thread: threading.Thread, line: Line) -> None:
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()
    line.theirs.close()


async def test_each_question_gets_its_answer_whole() -> None:
    line = Line()
    given = b"valise_x 1\n" * 10_000

    async def answer() -> bytes:
        return given

    thread = listening(line, answer)
    assert list(await asyncio.gather(line.ask(), line.ask(), line.ask())) == [given] * 3
    line.close()
    await ended(thread, line)


async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next() -> None:
    line = Line()
    assert await line.ask() == b""  # nobody listens yet: the question waits
    numbers = iter(range(1, 10))

    async def answer() -> bytes:
        return str(next(numbers)).encode()

    thread = listening(line, answer)
    assert await line.ask() == b"2"
    line.close()
    await ended(thread, line)


async def test_a_child_that_cannot_answer_is_not_waited_for() -> None:
    line = Line()

    async def answer() -> bytes:
        await asyncio.sleep(0.1 + lines.ANSWER_SECONDS)
        return b"late"

    thread = listening(line, answer)
    assert await line.ask() == b""
    line.close()
    await ended(thread, line)


async def test_a_child_that_is_gone_answers_nothing_at_once() -> None:
    line = Line()
    line.theirs.close()
    async with asyncio.timeout(0.9 * lines.ANSWER_SECONDS):
        assert await line.ask() == b""
    line.close()

"""All that the command says goes through here, so that nothing of others' text acts on a terminal.

What it says itself goes out line by line (`say`): a text from elsewhere begins no line of its own.
What others write, such as usage errors that quote an argument, log lines and tracebacks, goes
through the streams that `guard` puts in place.
"""

import codecs
import io
import sys
from collections.abc import Callable
from typing import Any, TextIO, cast

import typer

from services.runtime.visible import visible

LINES = "\n"
TABLES = "\n\t"
"""What is kept of a text with lines of its own."""


def say(*lines: str, err: bool = False) -> None:
    """Say these, each on a line of its own, whatever is in it."""
    for line in lines:
        typer.echo(visible(line), err=err)


def say_text(text: str, err: bool = False) -> None:
    """Say a text from elsewhere with the lines and columns that it has."""
    typer.echo(visible(text, keep=TABLES), err=err)


def data_out() -> Callable[[bytes], Any]:
    """Where data go, byte for byte; on a terminal with what would act on it written out, which in
    JSON changes nothing."""
    if not sys.stdout.isatty():
        return sys.stdout.buffer.write
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    return lambda data: sys.stdout.write(visible(decode(data), keep=LINES))


def guard() -> None:
    """Have all that is written to standard output and error as text go through `visible`."""
    sys.stdout = cast(TextIO, _Guarded(sys.stdout))
    sys.stderr = cast(TextIO, _Guarded(sys.stderr))


def drawing() -> TextIO:
    """Standard error for what draws on a terminal itself, and shows no text of others unguarded."""
    return sys.stderr.unguarded if isinstance(sys.stderr, _Guarded) else sys.stderr


class _Guarded(io.TextIOBase):
    """A text stream that hands on what is written to it when that can do no harm."""

    def __init__(self, stream: TextIO) -> None:
        self.unguarded = stream

    def write(self, text: str) -> int:
        """Write the text; how much of it there was."""
        if not isinstance(text, str):
            raise TypeError("text is needed")
        self.unguarded.write(visible(text, keep=TABLES))
        return len(text)

    def flush(self) -> None:
        """Hand on what waits."""
        self.unguarded.flush()

    def isatty(self) -> bool:
        """Whether a person looks on."""
        return self.unguarded.isatty()

    def fileno(self) -> int:
        """The file under it."""
        return self.unguarded.fileno()

    def writable(self) -> bool:
        """As all that can be written to."""
        return True

    @property
    def buffer(self) -> Any:
        """For bytes that are none of a text's."""
        return self.unguarded.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of what is under it."""
        return self.unguarded.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """How that takes what its encoding has not."""
        return self.unguarded.errors

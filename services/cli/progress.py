"""The command's progress bar: on the error stream of a terminal, and nowhere else."""

import os
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.terminal import drawing


def progress_bar() -> Progress:
    """A bar that counts what is done; none where nobody looks at a terminal."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(file=drawing()),
        disable=not sys.stderr.isatty() or os.environ.get("TERM") == "dumb",
        transient=True,
    )

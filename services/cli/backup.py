"""`valise backup` and `valise restore`: a deployment's data saved, checked and put back.

A folder is a backup of the embedded deployment; `--log` names a file with the log of either one.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from schemas.topics import ALL
from services.cli.terminal import drawing, say
from services.runtime.errors import Misconfigured
from services.runtime.settings import Settings
from services.runtime.visible import visible

T = TypeVar("T")

LOG_FILE = "log.sqlite3"

Folder = Annotated[Path | None, typer.Argument(metavar="DOSSIER", help="Dossier de la sauvegarde.")]
LogFile = Annotated[
    Path | None,
    typer.Option("--log", help="Fichier du journal seul (déploiement réparti)."),
]


def backup(
    folder: Folder = None,
    log: LogFile = None,
    data: Annotated[Path | None, typer.Option(help="Dossier des données à sauvegarder.")] = None,
) -> None:
    """Sauvegarde Valise pendant qu'il sert : registre, journal, originaux ; l'index se refait."""
    settings = _settings(data)
    if (folder is None) == (log is None):
        raise typer.BadParameter("donner un dossier, ou --log et un fichier")
    if log is not None:
        from services.runtime import log_dump  # noqa: PLC0415

        target = log
        with _shown() as told:
            _needs_a_log(settings)
            counts = _with_log(
                settings,
                lambda opened: log_dump.dump(opened, ALL, target, lambda t, n: told(t, n, None)),
            )
        _say(counts, target)
        return
    assert folder is not None
    _save(settings, folder)


def restore(
    folder: Folder = None,
    log: LogFile = None,
    data: Annotated[Path | None, typer.Option(help="Nouveau dossier de données, vide.")] = None,
) -> None:
    """Vérifie une sauvegarde et la remet en place, dans un dossier ou un journal vides."""
    if (folder is None) == (log is None):
        raise typer.BadParameter("donner un dossier, ou --log et un fichier")
    if log is not None:
        _load(_settings(data), log)
        return
    assert folder is not None
    if data is None:
        raise typer.BadParameter("donner le nouveau dossier de données : --data")
    from services.runtime import backup as engine  # noqa: PLC0415

    try:
        with _shown() as told:
            manifest = engine.restore(folder, data, told)
    except engine.Damaged as error:
        _refuse(error)
    say(f"sauvegarde du {manifest['at']} (version {manifest['release']})")
    _say(manifest["records"] | {"originaux": len(manifest.get("originals", []))}, data)
    say(f"à mettre en service par : valise serve --data {data}")


def _settings(data: Path | None) -> Settings:
    settings = Settings.from_env(os.environ)
    return settings if data is None else settings.model_copy(update={"data": data})


def _save(settings: Settings, folder: Path) -> None:
    from services.runtime import backup as engine  # noqa: PLC0415

    scheme, _, registry = settings.registry_url.partition(":///")
    if settings.distributed or scheme != "sqlite":
        raise Misconfigured(
            "le registre est dans PostgreSQL : le sauvegarder par pg_dump, et le journal par "
            "« valise backup --log FICHIER » (docs/operations.md)"
        )
    with _shown() as told:
        manifest = engine.save(
            engine.Source(
                log=settings.data / LOG_FILE,
                registry=Path(registry),
                originals=settings.originals_folder or settings.data / engine.ORIGINALS,
            ),
            folder,
            told,
        )
    _say(manifest["records"] | {"originaux": len(manifest["originals"])}, folder)


def _load(settings: Settings, source: Path) -> None:
    from services.runtime import log_dump  # noqa: PLC0415

    async def append(log: Any) -> dict[str, int]:
        await log.provision(ALL)
        return await log_dump.load(log, ALL, source, lambda t, n: told(t, n, None))

    try:
        with _shown() as told:
            counts = _with_log(settings, append)
    except log_dump.Damaged as error:
        _refuse(error)
    _say(counts, settings.kafka or settings.data)


def _needs_a_log(settings: Settings) -> None:
    """Raises Misconfigured where the embedded deployment has no log: a wrong folder, perhaps."""
    if not settings.distributed and not (settings.data / LOG_FILE).is_file():
        raise Misconfigured(f"il n'y a pas de journal de Valise dans {settings.data}")


def _with_log(settings: Settings, work: Callable[[Any], Awaitable[T]]) -> T:
    """What `work` makes of the log of these settings, opened and closed around it."""

    async def opened() -> T:
        if settings.distributed:
            from services.runtime.log.kafka import KafkaLog  # noqa: PLC0415

            log: Any = KafkaLog(settings)
        else:
            from services.runtime.log.sqlite import SqliteLog  # noqa: PLC0415

            log = SqliteLog(settings.data / LOG_FILE)
        await log.start()
        try:
            return await work(log)
        finally:
            await log.stop()

    return asyncio.run(opened())


@contextmanager
def _shown() -> Iterator[Callable[[str, int, int | None], None]]:
    """One progress bar a file or topic, on a terminal; nothing elsewhere."""
    quiet = not sys.stderr.isatty() or os.environ.get("TERM") == "dumb"
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed} / {task.total}"),
        console=Console(file=drawing()),
        disable=quiet,
        transient=True,
    ) as progress:
        tasks: dict[str, Any] = {}

        def told(what: str, done: int, of: int | None) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(visible(what), total=of)
            progress.update(tasks[what], completed=done, total=of)

        yield told


def _say(counts: dict[str, int], place: Path | str) -> None:
    for topic, count in counts.items():
        say(f"{topic} : {count}")
    say(f"dans {place}")


def _refuse(error: Exception) -> NoReturn:
    say(f"valise : {error}", err=True)
    raise typer.Exit(1)

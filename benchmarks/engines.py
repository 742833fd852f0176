"""Kafka, Elasticsearch and PostgreSQL for a run: started when first needed, ended at its end."""

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from services.runtime.settings import Settings
from tests.runtime.registry_kit import own_schema

TOOLS = Path(__file__).resolve().parent.parent / "tools" / "engines"
NAMES = ("KAFKA", "ELASTICSEARCH", "DATABASE")


class Engines:
    """The addresses of the engines, and settings on them with names of their own."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="valise-bench-"))
        self._found: dict[str, str] | None = None
        self._ended = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def addresses(self) -> dict[str, str]:
        """VALISE_KAFKA, VALISE_ELASTICSEARCH, VALISE_DATABASE."""
        if self._found is None:
            given = {f"VALISE_{n}": os.environ.get(f"VALISE_BENCH_{n}", "") for n in NAMES}
            self._found = given if all(given.values()) else self._start()
        return self._found

    def folder(self) -> Path:
        """A new folder, removed at the end of the run."""
        return Path(tempfile.mkdtemp(dir=self._folder))

    def settings(self, **changes: Any) -> Settings:
        """Settings on these engines; topics, index and registry schema are new and empty."""
        name = f"b{uuid4().hex[:10]}"
        database = self._ended.enter_context(own_schema(self.addresses["VALISE_DATABASE"]))
        return Settings.model_validate(
            {
                "kafka": self.addresses["VALISE_KAFKA"],
                "elasticsearch": self.addresses["VALISE_ELASTICSEARCH"],
                "database": database,
                "index": f"valise-{name}",
                "topic_prefix": f"{name}.",
                "data": self.folder(),
                "log_level": "ERROR",
                **changes,
            }
        )

    def _start(self) -> dict[str, str]:
        sys.path.insert(0, str(TOOLS))
        import engines  # noqa: PLC0415  (a script beside the tools, not a package)

        state = self._folder / "engines"
        self._ended.callback(engines.stop, state)
        return dict(engines.start(state))

"""Settings, from the environment (prefix `VALISE_`), checked once at start."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.runtime.errors import Misconfigured

PREFIX = "VALISE_"
MEGABYTE = 1024 * 1024


class Settings(BaseModel):
    """All settings of all services; each is documented in docs/architecture.md.

    The deployment is distributed with `kafka`, `elasticsearch` and `database` set, embedded with
    neither of the first two.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    data: Path = Path("valise-data")
    kafka: str | None = None
    elasticsearch: str | None = None
    database: str | None = None
    index: str = Field(default="valise-notes", pattern=r"^[a-z][a-z0-9-]{0,80}$")
    topic_prefix: str = Field(default="", pattern=r"^[a-zA-Z0-9._-]{0,80}$")
    replication: int = Field(default=1, ge=1, le=10)
    index_replicas: int = Field(default=0, ge=0, le=10)
    partitions: int | None = Field(default=None, ge=1, le=1_000)
    max_body_bytes: int = Field(default=8 * MEGABYTE, ge=1_000, le=10 * MEGABYTE)
    max_ndjson_bytes: int = Field(default=256 * MEGABYTE, ge=1_000)
    stall_seconds: float = Field(default=60.0, gt=0)
    session_timeout_ms: int = Field(default=10_000, ge=1_000, le=300_000)
    public_url: str = Field(default="http://127.0.0.1:8000", pattern=r"^https?://[^/\s]+")
    log_level: str = Field(default="INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the settings. Raises Misconfigured with one line that names what is wrong."""
        given = {
            name: env[PREFIX + name.upper()]
            for name in cls.model_fields
            if env.get(PREFIX + name.upper())
        }
        if "log_level" in given:
            given["log_level"] = given["log_level"].upper()
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            name = PREFIX + str(first["loc"][0]).upper()
            raise Misconfigured(f"{name}: {first['msg']}") from None
        if bool(settings.kafka) != bool(settings.elasticsearch):
            missing = "VALISE_ELASTICSEARCH" if settings.kafka else "VALISE_KAFKA"
            raise Misconfigured(
                f"{missing} is missing: the distributed deployment needs VALISE_KAFKA, "
                "VALISE_ELASTICSEARCH and VALISE_DATABASE; the embedded one none of the first two"
            )
        if settings.kafka and not settings.database:
            raise Misconfigured(
                "VALISE_DATABASE is missing: the distributed deployment keeps its registry in "
                "PostgreSQL"
            )
        return settings

    @property
    def distributed(self) -> bool:
        """True on Kafka and Elasticsearch, False on the embedded engines."""
        return self.kafka is not None

    @property
    def registry_url(self) -> str:
        """SQLAlchemy URL of the registry."""
        return self.database or f"sqlite:///{self.data / 'registry.sqlite3'}"

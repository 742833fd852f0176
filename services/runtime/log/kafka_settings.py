"""How Valise speaks to Kafka: connection, time limits, sizes, and how topics are made."""

from typing import Any

from aiokafka.admin import NewTopic
from faststream.kafka.security import parse_security
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from schemas.topics import COMPACTION_LAG_MS, Topic
from services.runtime import tls
from services.runtime.errors import Misconfigured
from services.runtime.log import MAX_ENTRY_BYTES, MAX_HEADER_BYTES
from services.runtime.settings import Settings

CLIENT_ID = "valise"

MAX_MESSAGE_BYTES = MAX_ENTRY_BYTES + 2 * MAX_HEADER_BYTES
"""The largest message on a topic: an entry, its headers, and what Kafka puts round them."""

FETCH_BYTES = 32 * 1024 * 1024
"""One fetch: two of the largest messages, or thousands of usual ones."""

PRODUCE_TIMEOUT_MS = 4_000
"""Below the 5 s within which `append` promises its answer."""

BATCH_BYTES = 1024 * 1024
"""Records of one partition sent together; with the default of 16 KB a batch of notes of 5 KB goes
out three by three, each waiting for the answer to the three before."""

BATCH_TIMEOUT_MS = 25
"""An idle subscriber waits this twice over before it looks again: near enough to real time."""

REBALANCE_TIMEOUT_MS = 20_000
"""What members get to finish their batch and join again when one comes or goes."""

REQUEST_TIMEOUT_MS = 30_000
"""Above the rebalance's: the answer to a request to join comes only when that is over."""

MAX_POLL_INTERVAL_MS = 300_000
"""A batch may take five minutes; retries wait ten seconds at most and poll again in between."""


MECHANISMS: dict[str, type[SASLPlaintext | SASLScram256 | SASLScram512]] = {
    "PLAIN": SASLPlaintext,
    "SCRAM-SHA-256": SASLScram256,
    "SCRAM-SHA-512": SASLScram512,
}


def security(settings: Settings) -> BaseSecurity | None:
    """How to authenticate and encrypt: the one place for it. None: a plain connection.

    Raises Misconfigured where the certificate authority cannot be read.
    """
    encrypted = settings.kafka_security.endswith("SSL")
    trust = tls.context(settings.kafka_ca, "VALISE_KAFKA_CA") if encrypted else None
    if settings.kafka_user and settings.kafka_password:
        return MECHANISMS[settings.kafka_mechanism](
            username=settings.kafka_user,
            password=settings.kafka_password.get_secret_value(),
            ssl_context=trust,
            use_ssl=encrypted,
        )
    return BaseSecurity(ssl_context=trust, use_ssl=True) if encrypted else None


def servers(settings: Settings) -> list[str]:
    """The bootstrap servers. Raises Misconfigured where there are none."""
    found = [server.strip() for server in (settings.kafka or "").split(",") if server.strip()]
    if not found:
        raise Misconfigured("VALISE_KAFKA manque : hôte:port, plusieurs séparés par des virgules")
    return found


def connection(settings: Settings) -> dict[str, Any]:
    """What every aiokafka client is given."""
    return {
        "bootstrap_servers": servers(settings),
        "client_id": CLIENT_ID,
        **parse_security(security(settings)),
    }


def producer(settings: Settings) -> dict[str, Any]:
    """What an aiokafka producer is given: nothing lost, nothing doubled by its own retries."""
    return {
        **connection(settings),
        "acks": "all",
        "enable_idempotence": True,
        "linger_ms": 0,
        "max_batch_size": BATCH_BYTES,
        "max_request_size": MAX_MESSAGE_BYTES,
        "request_timeout_ms": PRODUCE_TIMEOUT_MS,
    }


def subscriber(settings: Settings) -> dict[str, Any]:
    """What a FastStream subscriber is given, beside its topic, group and handler."""
    return {
        "batch": True,
        "batch_timeout_ms": BATCH_TIMEOUT_MS,
        "auto_offset_reset": "earliest",
        "fetch_max_bytes": FETCH_BYTES,
        "max_partition_fetch_bytes": MAX_MESSAGE_BYTES,
        "session_timeout_ms": settings.session_timeout_ms,
        "heartbeat_interval_ms": settings.session_timeout_ms // 3,
        "max_poll_interval_ms": MAX_POLL_INTERVAL_MS,
        "rebalance_timeout_ms": REBALANCE_TIMEOUT_MS,
    }


def new_topic(topic: Topic, settings: Settings) -> NewTopic:
    """The topic as it is created, with its retention said explicitly.

    The setting `partitions` is for the topics of notes; dead letters stay in one.
    """
    wanted = settings.partitions if topic.partitions > 1 else None
    configs = {
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "retention.ms": str(-1 if topic.retention_ms is None else topic.retention_ms),
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "min.insync.replicas": str(max(1, settings.replication - 1)),
    }
    if topic.compacted:
        configs["min.compaction.lag.ms"] = str(COMPACTION_LAG_MS)
        # A null value ("forget this note") must stay as long as a slow consumer may need it.
        configs["delete.retention.ms"] = str(COMPACTION_LAG_MS)
    return NewTopic(
        name=settings.topic_prefix + topic.name,
        num_partitions=wanted or topic.partitions,
        replication_factor=settings.replication,
        topic_configs=configs,
    )

"""The journal: who searched, read, downloaded, changed and administered, and was refused."""

from services.runtime.journal.recorder import enter, enter_all, install, record, sender_of
from services.runtime.journal.writer import Journal

__all__ = ["Journal", "enter", "enter_all", "install", "record", "sender_of"]

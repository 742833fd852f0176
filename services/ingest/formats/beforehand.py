"""What reading a document would load in its course, loaded before: later no file can be opened."""

import codecs
import encodings
import pkgutil
from contextlib import suppress
from importlib import import_module

from schemas import vocabulary

_MODULES = ("email.feedparser", "email.generator", "email.parser", "stringprep")
"""Which the standard library imports only where a mail asks for them."""


def load() -> None:
    """Load them, with every encoding that Python knows: a mail may name any of them (20 ms)."""
    for name in _MODULES:
        import_module(name)
    for module in pkgutil.iter_modules(encodings.__path__):
        with suppress(LookupError):  # those of Windows
            codecs.lookup(module.name)
    vocabulary.posts()
    vocabulary.countries()

"""Who may look into a process: by itself Linux lets every process of the same user do so."""

import ctypes
import logging

logger = logging.getLogger(__name__)

_SET_DUMPABLE = 4
"""Of prctl (linux/prctl.h)."""


def refuse_inspection() -> bool:
    """Keep this process's memory, environment and open files from others of its user.

    They can neither read nor write `/proc/<pid>/environ`, `mem` and the like, nor attach to it; the
    administrator (CAP_SYS_PTRACE) still can, with py-spy or gdb. Dumps of its memory are no longer
    written. A program that it starts decides for itself. False where this cannot be had.
    """
    try:
        return bool(ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        logger.debug("no prctl here")
        return False

"""How failures of applications are reported."""

import logging
import sys
import traceback

logger = logging.getLogger("herald.error")


def report(doing: str, error: BaseException) -> None:
    """Log ``error`` with its traceback; ``doing`` says what was being done.

    Goes to the logger ``herald.error``; where no handler is configured, to standard error.
    """
    if logger.hasHandlers():
        logger.error("error while %s", doing, exc_info=error)
        return
    lines = traceback.format_exception(error)
    sys.stderr.write(f"herald: error while {doing}\n{''.join(lines)}")
    sys.stderr.flush()


def line(text: str) -> None:
    """Write one line of Herald's own to standard error."""
    sys.stderr.write(f"herald: error: {text}\n")
    sys.stderr.flush()

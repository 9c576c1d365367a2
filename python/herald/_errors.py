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


def summary(error: BaseException) -> str:
    """The type and text of ``error`` in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def without_import_frames(error: BaseException) -> BaseException:
    """Leave out the frames of Herald and importlib that lead to the module being imported."""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        if not name.startswith(("herald.", "importlib")):
            break
        trace = trace.tb_next
    return error.with_traceback(trace)


def warning(text: str) -> None:
    """Write one line about what is going on all the same."""
    sys.stderr.write(f"herald: warning: {text}\n")
    sys.stderr.flush()


def line(text: str) -> None:
    """Write one line of Herald's own to standard error."""
    sys.stderr.write(f"herald: error: {text}\n")
    sys.stderr.flush()

"""The command line: ``herald`` and ``python -m herald``."""

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code: 0, 1 (run-time failure) or 2 (usage).

    ``arguments`` are the words after the program's name; ``None`` takes them from ``sys.argv``.
    """
    from herald import _ext

    words = list(sys.argv[1:] if arguments is None else arguments)
    again = (os.fsencode(sys.executable), b"-m", b"herald")
    return _ext.main((b"herald", *(os.fsencode(word) for word in words)), again)


def run() -> None:
    """Entry point of the console script."""
    sys.exit(main())

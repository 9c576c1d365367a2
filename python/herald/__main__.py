"""``python -m herald``."""

from herald._command import run

run()

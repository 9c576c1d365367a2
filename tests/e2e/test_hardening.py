"""The built command carries the protections that SECURITY.md names."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

COMMAND = Path(__file__).resolve().parents[2] / "build/herald"


def readelf(option: str) -> str:
    words = ["readelf", "--wide", option, str(COMMAND)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_position_independent() -> None:
    assert "DYN (Position-Independent Executable file)" in readelf("--file-header")


def test_relocations_are_read_only_and_the_stack_is_not_executable() -> None:
    segments = readelf("--program-headers")
    assert "GNU_RELRO" in segments
    (stack,) = [line for line in segments.splitlines() if "GNU_STACK" in line]
    assert " RW " in stack
    assert "BIND_NOW" in readelf("--dynamic")


@pytest.mark.parametrize("name", ["__stack_chk_fail", "__memcpy_chk", "__vsnprintf_chk"])
def test_checked_calls_are_compiled_in(name: str) -> None:
    assert name in readelf("--dyn-syms")


def test_nothing_of_ours_is_exported() -> None:
    exported = [
        line.split()[-1]
        for line in readelf("--dyn-syms").splitlines()
        if " FUNC " in line and " UND " not in line
    ]
    assert not [name for name in exported if not name.startswith("_")]

"""Each limit bites: its attack is held off by it alone, and gets through without it.

All other limits of what is hostile but legal are off in both runs, so that none stands in for
another.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import families
import pytest
import rig

SECONDS = 0.6

BUDGETS = (
    "continuation_count",
    "control_frames_queued",
    "control_bytes_queued",
    "empty_data_frames",
    "glitch_burst",
    "overhead_ratio",
    "priority_burst",
    "reset_burst",
    "settings_entries",
    "small_data_budget",
    "window_update_burst",
)


@dataclass(frozen=True)
class Case:
    """A limit, and an attack that it alone should hold off."""

    limits: tuple[str, ...]
    attack: str
    on: tuple[str, ...] = ()  # values for the run with the limit; its default where there is none
    off: tuple[str, ...] = ()  # values for the run without; "off" where there is none

    def options(self, off: bool) -> tuple[str, ...]:
        values = [f"{name}={OFF.get(name, 'off')}" for name in BUDGETS if name not in self.limits]
        if off:
            values += self.off or [f"{name}={OFF.get(name, 'off')}" for name in self.limits]
        else:
            values += self.on
        return tuple(word for value in values for word in ("--limit", value))

    def __str__(self) -> str:
        return self.limits[0]


OFF = {"overhead_ratio": "0"}  # the largest value would be the strictest

STALLS = ("stall_timeout=2", "stall_grace=1")

CASES = (
    Case(("reset_burst",), "rapid-reset-of-a-folder"),
    Case(("glitch_burst",), "ping-flood"),
    Case(("control_frames_queued", "control_bytes_queued"), "ping-flood-unread"),
    Case(("continuation_count",), "the-ninth-continuation"),
    Case(("settings_entries",), "entries-of-settings"),
    Case(("empty_data_frames",), "empty-data"),
    Case(("small_data_budget",), "tiny-data-unread"),
    Case(("window_update_burst",), "window-updates"),
    Case(("priority_burst",), "priority-flood"),
    Case(("overhead_ratio",), "framing-without-content"),
    Case(("field_list_size",), "size-bomb"),
    Case(("field_count", "trailer_count"), "too-many-fields"),
    Case(("field_memory",), "bomb-of-long-cookies", on=STALLS, off=("field_memory=off", *STALLS)),
    Case(("concurrent_streams",), "work-ends-after-the-stream"),
    Case(
        ("stall_timeout", "stall_rate"),
        "zero-window-on-files",
        on=("stall_timeout=2", "stall_grace=1"),
        off=("stall_timeout=off", "stall_rate=0"),
    ),
    Case(("head_timeout",), "slow-prefaces", on=("head_timeout=1",)),
    Case(("connection_age",), "old-connections", on=("connection_age=1",)),
)


def find(name: str) -> rig.Attack:
    (found,) = [one for one in families.attacks if one.name == name]
    return found


Servers = Callable[..., tuple[rig.Target, rig.Victim]]


@pytest.fixture
def judge(tmp_path: Path) -> Callable[[Case, bool], rig.Record]:
    def run(case: Case, off: bool) -> rig.Record:
        which = find(case.attack)
        with rig.herald(which.target, tmp_path, *case.options(off)) as target:
            patience = 0.5 if off else rig.CLOSE_LENIENCE
            return rig.execute(which, target, None, SECONDS, patience=patience)

    return run


@pytest.mark.timeout(90)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_limit_holds_the_attack_off(
    case: Case, judge: Callable[[Case, bool], rig.Record]
) -> None:
    record = judge(case, False)
    assert not record.failures


@pytest.mark.timeout(90)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_without_the_limit_the_attack_gets_through(
    case: Case, judge: Callable[[Case, bool], rig.Record]
) -> None:
    record = judge(case, True)
    assert record.failures, f"nothing of {case.attack} depends on {', '.join(case.limits)}"


def test_every_limit_is_documented() -> None:
    header = (rig.ROOT / "src/http/limits.h").read_text()
    body = header[header.index("struct limits {") : header.index("};")]
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    words = " ".join(re.findall(r"(?:uint32_t|uint64_t|size_t|herald_time)\s+([^;]+);", body))
    members = set(re.findall(r"\w+", words))
    assert len(members) > 40
    documented = (rig.ROOT / "docs/internals/limits.md").read_text()
    assert members <= set(re.findall(r"`(\w+)`", documented))
    source = (rig.ROOT / "src/cli/limit_option.c").read_text()
    assert members == set(re.findall(r"(?:NUMBER|BETWEEN|SECONDS|ROW)\((\w+)[,)]", source)) - {
        "member"
    }

"""The smoke run: every attack for a short time, judged by what does not depend on the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import families
import pytest
import rig

SECONDS = 1.2
ROWS = {f"H2-{number:02}" for number in range(1, 35)}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("which", families.attacks, ids=str)
def test_attack(which: rig.Attack, servers: Callable[..., tuple[rig.Target, rig.Victim]]) -> None:
    target, victim = servers(which.target, which.options)
    record = rig.execute(which, target, victim, SECONDS)
    print(record.json())
    assert not record.failures, "\n".join([*record.failures, *target.lines[-5:]])


def test_every_row_has_an_attack() -> None:
    assert {which.row for which in families.attacks} == ROWS


def test_every_family_is_registered() -> None:
    helpers = {"conftest", "families", "probe", "rig", "run", "wire"}
    found = {path.stem for path in Path(__file__).parent.glob("*.py")}
    found = {name for name in found if not name.startswith(("test_", "__"))}
    assert found - helpers == set(families.NAMES)

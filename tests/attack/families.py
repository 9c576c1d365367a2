"""All attacks, by families, in the order of the catalogue's rows."""

from __future__ import annotations

import importlib

import rig

NAMES = ("resets", "blocks", "floods", "windows", "rules", "legitimate")

for _name in NAMES:
    importlib.import_module(_name)

attacks = sorted(rig.attacks, key=lambda one: one.row)

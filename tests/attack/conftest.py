"""Servers and victims of the smoke run, one of each kind for all attacks that share it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import rig  # noqa: E402 (its folder has only now become known)

VICTIM_RATE = 40.0  # each of HTTP/1.1 and HTTP/2, a second


@pytest.fixture(scope="session")
def servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., tuple[rig.Target, rig.Victim]]]:
    """A target by kind and options, with its victim; started once and stopped at the end."""
    known: dict[tuple[str, tuple[str, ...]], tuple[rig.Target, rig.Victim]] = {}
    with contextlib.ExitStack() as stack:

        def get(kind: str, options: tuple[str, ...] = ()) -> tuple[rig.Target, rig.Victim]:
            key = (kind, options)
            if key in known and known[key][0].alive():
                return known[key]
            scratch = tmp_path_factory.mktemp(kind)
            target = stack.enter_context(rig.herald(kind, scratch, *options))
            victim = rig.Victim(target, VICTIM_RATE)
            stack.callback(victim.stop)
            assert victim.wait_for_results(10), f"the probes get no answer:\n{target.log}"
            known[key] = (target, victim)
            return known[key]

        yield get

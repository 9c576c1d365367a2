"""Runs ``herald serve`` with every Nth allocation of Python failing while our code runs.

Usage: nomemory_server.py ARGUMENT... (the words after ``herald``)

Each turn of the server's loop, and each step of send() and receive() that the application takes,
fails one allocation: the first, the second, and so on, one further each time. asyncio's own code
runs with memory as usual, since its failures would not be ours.
"""

import _testcapi
import asyncio
import itertools
import sys
from collections.abc import Callable
from typing import Any

from herald import _ext, _serve, main

counter = itertools.count(1)
PERIOD = 250


def failing(call: Callable[..., Any]) -> Callable[..., Any]:
    """``call`` with one allocation failing, at a place that moves on."""

    def wrapped(*arguments: Any) -> Any:
        nth = next(counter) % PERIOD
        _testcapi.set_nomemory(nth, nth + 1)
        try:
            return call(*arguments)
        finally:
            _testcapi.remove_mem_hooks()

    return wrapped


class FailingLoop(asyncio.SelectorEventLoop):
    """A loop whose readers run out of memory."""

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:
        if isinstance(getattr(callback, "__self__", None), _ext.Server):
            callback = failing(callback)
        super().add_reader(fd, callback, *args)


class Policy(asyncio.DefaultEventLoopPolicy):
    """Makes asyncio.Runner use the failing loop."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return FailingLoop()


if __name__ == "__main__":
    # A task that starts at once would run the application within our turn, and the interpreter
    # itself does not survive every failure there.
    _serve._task_factory = lambda: None
    asyncio.set_event_loop_policy(Policy())
    sys.exit(main(sys.argv[1:]))

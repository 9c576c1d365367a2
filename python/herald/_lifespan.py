"""The ASGI lifespan protocol (asgiref, lifespan specification 2.0)."""

import asyncio
from typing import Any

from herald import _errors


class LifespanError(Exception):
    """Start-up failed; the text is one line for the user."""


class Lifespan:
    """Runs ``application`` once with a lifespan scope beside its exchanges.

    ``state`` is the dict whose shallow copy each exchange's scope gets.
    """

    def __init__(self, application: Any, startup_timeout: float, shutdown_timeout: float) -> None:
        """Times are seconds."""
        self.state: dict[str, Any] = {}
        self._application = application
        self._startup_timeout = startup_timeout
        self._shutdown_timeout = shutdown_timeout
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failure: str | None = None
        self._asked = False
        self._supported = True
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Send ``lifespan.startup`` and wait for the answer.

        An application that raises before it answers does not know the protocol, which is allowed;
        when it had taken the message, one line says so.

        Raises:
            LifespanError: it answered ``lifespan.startup.failed``, or nothing in time.
        """
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._events.put_nowait({"type": "lifespan.startup"})
        try:
            await asyncio.wait_for(self._started.wait(), self._startup_timeout)
        except TimeoutError:
            self._task.cancel()
            raise LifespanError(
                f"the application's start-up took longer than {self._startup_timeout:g} s"
            ) from None
        if self._failure is not None:
            raise LifespanError(f"the application's start-up failed: {self._failure}")

    async def shutdown(self) -> bool:
        """Send ``lifespan.shutdown`` and wait for the answer; False when it failed."""
        if self._task is None or not self._supported or self._task.done():
            return True
        self._events.put_nowait({"type": "lifespan.shutdown"})
        try:
            await asyncio.wait_for(self._stopped.wait(), self._shutdown_timeout)
        except TimeoutError:
            self._task.cancel()
            _errors.line(
                f"the application's shutdown took longer than {self._shutdown_timeout:g} s"
            )
            return False
        return self._failure is None

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._application(scope, self._receive, self._send)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if self._started.is_set():
                _errors.report("running the application's lifespan", error)
                self._failure = str(error)
            elif self._failure is None:
                self._supported = False
                if self._asked:
                    _errors.warning(
                        "the application's start-up raised "
                        f"{_errors.summary(error)}; going on without lifespan"
                    )
        finally:
            self._supported = self._supported and self._started.is_set()
            self._started.set()
            self._stopped.set()

    async def _receive(self) -> dict[str, Any]:
        event = await self._events.get()
        self._asked = True
        return event

    async def _send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            self._started.set()
        elif kind == "lifespan.startup.failed":
            self._failure = message.get("message") or "no reason given"
            self._started.set()
        elif kind == "lifespan.shutdown.complete":
            self._stopped.set()
        elif kind == "lifespan.shutdown.failed":
            self._failure = message.get("message") or "no reason given"
            _errors.line(f"the application's shutdown failed: {self._failure}")
            self._stopped.set()
        else:
            raise ValueError(f"unknown lifespan message {kind!r}")

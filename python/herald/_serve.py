"""Runs one worker: the application, its lifespan, and the server inside an asyncio loop."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from herald import _errors, _wsgi
from herald._ext import Server
from herald._lifespan import Lifespan, LifespanError
from herald._loader import LoadError, is_asgi, load
from herald._push import PushExtension

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2

# What the C functions return; see include/herald_error.h.
_ERROR_CONFIG = -18


def run(server: Server) -> int:
    """Serve ``server.options["target"]`` until a signal ends it; returns the exit code."""
    options = server.options
    try:
        application = load(options["target"], options["app_dir"])
    except LoadError as error:
        _errors.line(str(error))
        return EXIT_USAGE
    except Exception as error:
        target = options["target"]
        _errors.report(f"importing {target}", _errors.without_import_frames(error))
        _errors.line(f"{target} cannot be imported: {_errors.summary(error)}")
        return EXIT_USAGE
    interface = options["interface"]
    if interface == "auto":
        interface = "asgi" if is_asgi(application) else "wsgi"
    worker = _Worker(server, application, interface)
    try:
        factory = _loop_factory(options["worker_class"])
    except LoadError as error:
        _errors.line(str(error))
        return EXIT_USAGE
    with asyncio.Runner(loop_factory=factory, debug=options["debug"] or None) as runner:
        return runner.run(worker.serve())


def _loop_factory(worker_class: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the loop: uvloop's where it is installed, unless asyncio's is asked for.

    Raises:
        LoadError: uvloop is asked for and not installed.
    """
    if worker_class == "asyncio":
        return None
    try:
        import uvloop
    except ImportError:
        if worker_class == "uvloop":
            raise LoadError("--worker-class uvloop: the package uvloop is not installed") from None
        return None
    return uvloop.new_event_loop


def _task_factory() -> Any:
    """``asyncio.Task`` where it can run a coroutine's first step at once (Python 3.12)."""
    return asyncio.Task if sys.version_info >= (3, 12) else None


class _Worker:
    def __init__(self, server: Server, application: Any, interface: str) -> None:
        self._server = server
        self._application = application
        self._interface = interface
        self._options = server.options
        self._signals = 0
        self._stopped: asyncio.Event | None = None

    async def serve(self) -> int:
        lifespan: Lifespan | None = None
        self._stopped = asyncio.Event()
        asgi = self._interface == "asgi"
        if asgi:
            lifespan = Lifespan(
                self._application,
                self._options["startup_timeout"],
                self._options["shutdown_timeout"],
            )
        loop = asyncio.get_running_loop()
        code = self._server.prepare(
            loop,
            self._stopped.set,
            self._application if asgi else None,
            lifespan.state if lifespan else None,
            PushExtension,
            _task_factory(),
        )
        if code < 0:
            return EXIT_USAGE if code == _ERROR_CONFIG else EXIT_FAILURE
        try:
            return await self._serve_prepared(loop, lifespan)
        finally:
            self._server.close()
            self._ignore_signals(loop)

    async def _serve_prepared(
        self, loop: asyncio.AbstractEventLoop, lifespan: Lifespan | None
    ) -> int:
        assert self._stopped is not None
        if lifespan is not None:
            try:
                await lifespan.startup()
            except LifespanError as error:
                _errors.line(str(error))
                return EXIT_FAILURE
        # What has been imported stays: no collection has to walk over it while requests run.
        gc.collect()
        gc.freeze()
        loop.add_reader(self._server.descriptor, self._server.turn)
        code = self._server.start()
        result = EXIT_OK
        if code < 0:
            result = EXIT_USAGE if code == _ERROR_CONFIG else EXIT_FAILURE
        else:
            self._install_signals(loop)
            threads = self._start_threads()
            await self._stopped.wait()
            self._server.close_gateway()
            for thread in threads:
                await asyncio.to_thread(thread.join, self._options["shutdown_timeout"])
        loop.remove_reader(self._server.descriptor)
        if lifespan is not None and not await lifespan.shutdown():
            result = EXIT_FAILURE
        return result

    def _start_threads(self) -> list[Any]:
        if self._interface == "asgi":
            return []
        return _wsgi.start_threads(
            self._server,
            self._application,
            self._options["wsgi_threads"] or min(32, (os.cpu_count() or 1) + 4),
            self._options["root_path"],
            self._options["worker"] > 0,
        )

    def _install_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        if self._options["worker"] > 0:
            # A terminal interrupts the whole group; the supervisor passes on what is meant.
            loop.add_signal_handler(signal.SIGINT, lambda: None)
        else:
            loop.add_signal_handler(signal.SIGINT, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._server.reload)

    def _ignore_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        """All is over: a late signal must not turn the exit code into a death by signal."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    def _stop(self) -> None:
        self._signals += 1
        self._server.shutdown(self._signals > 1)

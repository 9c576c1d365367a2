"""--workers: several processes on one port, replaced when they crash, ended gracefully."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import APPS, CurlResult, Server, wait_until

Curl = Callable[..., CurlResult]


def children(server: Server) -> list[int]:
    pid = server.process.pid
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def pid_of_worker(curl: Curl, server: Server) -> int:
    return json.loads(curl(f"{server.url}/report").body)["pid"]


def test_workers_share_the_port(serve_app: Callable[..., Server], curl: Curl) -> None:
    server = serve_app("asgi_basic:app", "--workers", "3")
    workers = set(children(server))
    assert len(workers) == 3
    seen = {pid_of_worker(curl, server) for _ in range(60)}
    assert len(seen) > 1 and seen <= workers


def test_crashed_worker_is_replaced(serve_app: Callable[..., Server], curl: Curl) -> None:
    server = serve_app("asgi_basic:app", "--workers", "2")
    before = children(server)
    started = time.monotonic()
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(children(server)) == 2 and before[0] not in children(server), 5)
    assert time.monotonic() - started < 2
    replacement = (set(children(server)) - set(before)).pop()
    wait_until(lambda: pid_of_worker(curl, server) == replacement, 20)
    for _ in range(20):
        assert curl(f"{server.url}/hello").status == 200


@pytest.mark.parametrize("workers", ["1", "2"])
def test_graceful_stop(
    serve_app: Callable[..., Server], curl: Curl, ca_file: Path, workers: str
) -> None:
    """What runs when SIGTERM comes is finished; nothing new is taken."""
    server = serve_app("asgi_basic:app", "--workers", workers)
    clients = [
        subprocess.Popen(
            ["curl", "-sS", option, "--cacert", str(ca_file), f"{server.url}/slow?2.5"],
            stdout=subprocess.PIPE,
        )
        for option in ("--http1.1", "--http2") * 4
    ]

    def running() -> int:
        """Requests in all workers, without the one that asks."""
        found = {}
        for _ in range(12):
            state = json.loads(curl(f"{server.url}/report").body)
            found[state["pid"]] = state["running"] - 1
        return sum(found.values())

    wait_until(lambda: running() >= len(clients), 10)
    server.process.send_signal(signal.SIGTERM)
    for client in clients:
        output, _ = client.communicate(timeout=10)
        assert (client.returncode, output) == (0, b"slow\n")
    assert server.stop() == 0


def test_graceful_timeout_ends_what_hangs(serve_app: Callable[..., Server]) -> None:
    server = serve_app("asgi_basic:app", "--graceful-timeout", "0.5")
    server.expected_code = None
    client = subprocess.Popen(["curl", "-sk", "--http2", f"{server.url}/slow?60"])
    time.sleep(0.5)
    started = time.monotonic()
    server.process.terminate()
    server.process.wait(10)
    assert time.monotonic() - started < 5
    assert client.wait(5) != 0


def test_workers_end_with_their_master(serve_app: Callable[..., Server]) -> None:
    server = serve_app("asgi_basic:app", "--workers", "2")
    server.expected_code = None
    workers = children(server)
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 10)


def test_application_that_cannot_start(
    herald: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """The master gives up when its first workers cannot import the application."""
    result = herald(
        "serve", "--app-dir", APPS, "no_such_module:app", "--workers", "2", "--bind", "127.0.0.1:0"
    )
    assert result.returncode == 2
    assert "no_such_module" in result.stderr


def test_folder_with_workers(serve: Callable[..., Server], curl: Curl, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("content\n")
    server = serve(tmp_path, "--workers", "2")
    assert len(children(server)) == 2
    for _ in range(10):
        assert curl(f"{server.url}/file.txt").body == b"content\n"

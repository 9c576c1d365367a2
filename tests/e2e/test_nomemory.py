"""AS-14: memory runs out inside the extension, at every place, and the worker lives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CurlResult, Server

SCRIPT = Path(__file__).parent / "nomemory_server.py"


@pytest.mark.timeout(180)
def test_out_of_memory_everywhere(
    serve_app: Callable[..., Server], curl: Callable[..., CurlResult]
) -> None:
    server = serve_app("asgi_nomemory:app", "-k", "asyncio", command=[sys.executable, str(SCRIPT)])
    pid = server.process.pid
    for _ in range(60):
        for option in ("--http1.1", "--http2"):
            # What a client sees is its own affair: an answer, an error, a broken connection.
            subprocess.run(
                ["curl", "-sk", option, "--max-time", "3", "-o", "/dev/null"]
                + [f"{server.url}/{number}" for number in range(12)],
                capture_output=True,
                timeout=60,
            )
            assert server.process.poll() is None, server.log[-4000:]
    served = [curl(f"{server.url}/pid").body for _ in range(20)]
    assert str(pid).encode() in served
    assert "MemoryError" in server.log, "nothing failed, so nothing was tested"
    assert "SystemError" not in server.log, server.log[-4000:]
    assert "Fatal" not in server.log, server.log[-4000:]
    server.expected_code = None

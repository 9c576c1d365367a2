"""FastAPI, Starlette, Django (ASGI) and Flask (WSGI): page, JSON, upload, stream."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CurlResult, Server, Target

FRAMEWORKS = ["fastapi", "starlette", "django", "flask"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_small_site(
    framework: str,
    serve_app: Callable[..., Server],
    curl: Callable[..., CurlResult],
    target_of: Callable[[Server], Target],
    tmp_path: Path,
) -> None:
    server = serve_app(f"framework_apps:{framework}_app")
    target = target_of(server)
    result = curl(*target.options, f"{target.url}/")
    assert (result.status, result.body) == (200, b"hello")
    assert result.headers["content-type"].startswith("text/plain")
    result = curl(*target.options, f"{target.url}/json?name=h%C3%A9rald")
    assert json.loads(result.body) == {"name": "hérald"}
    upload = tmp_path / "upload"
    upload.write_bytes(bytes(range(256)) * 8000)
    result = curl(*target.options, "-F", f"file=@{upload}", f"{target.url}/upload")
    assert (result.status, json.loads(result.body)) == (
        200,
        hashlib.sha256(upload.read_bytes()).hexdigest(),
    )
    result = curl(*target.options, f"{target.url}/stream")
    assert result.body == b"".join(b"%d\n" % number for number in range(1000))
    assert curl(*target.options, f"{target.url}/missing").status == 404


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_link_as_the_framework_writes_it(
    framework: str,
    serve_app: Callable[..., Server],
    herald: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Django and Flask leave the name's capitals; it becomes a push or a hint all the same."""
    url = f"{serve_app(f'framework_apps:{framework}_app').url}/preload"
    pushed = herald("get", url)
    assert (pushed.returncode, pushed.stdout) == (0, "preload"), pushed.stderr
    assert "pushed /json 200" in pushed.stderr
    hinted = herald("get", "--push", "off", url)
    assert (hinted.returncode, hinted.stdout) == (0, "preload"), hinted.stderr
    assert "103 Early Hints\n  link: </json>; rel=preload; as=fetch\n" in hinted.stderr


def test_fastapi_in_a_thread(
    serve_app: Callable[..., Server], curl: Callable[..., CurlResult]
) -> None:
    server = serve_app("framework_apps:fastapi_app")
    assert curl("--http2", f"{server.url}/sync").body == b"in a thread"

"""Node's http2: pushes accepted, refused and switched off, interim responses, trailers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CurlResult, Server

SCRIPT = Path(__file__).parent / "node" / "http2_client.mjs"


@pytest.fixture
def node(ca_file: Path) -> Callable[..., dict[str, Any]]:
    def run(url: str, pushes: str = "accept") -> dict[str, Any]:
        done = subprocess.run(
            ["node", str(SCRIPT), url, str(ca_file), pushes],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def server(serve_app: Callable[..., Server]) -> Server:
    return serve_app("asgi_basic:app")


def test_push_event(server: Server, node: Callable[..., dict[str, Any]]) -> None:
    seen = node(f"{server.url}/push")
    assert (seen["status"], seen["body"]) == (200, "pushed\n")
    first, second = seen["pushed"]["/hello"], seen["pushed"]["/echo-headers"]
    assert (first["id"], second["id"]) == (2, 4)
    assert (first["status"], first["body"]) == (200, "hello, world\n")
    assert second["status"] == 200
    assert "x-two: 2\n" in second["body"], "the promised fields reach the application"
    request = first["request"]
    assert request[":method"] == "GET"
    assert request[":scheme"] == "https"
    assert request[":authority"] == server.url.removeprefix("https://")
    assert request["x-one"] == "1"
    events = seen["events"]
    assert events.index("promise /hello") < events.index("response 200")


def test_refused_pushes_stop_the_work(
    server: Server, node: Callable[..., dict[str, Any]], curl: Callable[..., CurlResult]
) -> None:
    seen = node(f"{server.url}/push", "refuse")
    assert (seen["status"], seen["body"], seen["pushed"]) == (200, "pushed\n", {})
    assert seen["events"].count("promise /hello") == 1
    state = json.loads(curl(f"{server.url}/report").body)
    assert state["running"] == 1


def test_pushes_switched_off_become_hints(
    server: Server, node: Callable[..., dict[str, Any]]
) -> None:
    seen = node(f"{server.url}/push", "off")
    assert (seen["status"], seen["body"], seen["pushed"]) == (200, "pushed\n", {})
    assert [link.split(";")[0] for link in seen["informational"]] == ["</hello>", "</echo-headers>"]


def test_nothing_is_pushed_twice(server: Server, node: Callable[..., dict[str, Any]]) -> None:
    seen = node(f"{server.url}/push-twice")
    assert [event for event in seen["events"] if event.startswith("promise")] == ["promise /hello"]
    assert seen["body"] == "pushed twice\n"


def test_link_of_a_response_becomes_a_push(
    server: Server, node: Callable[..., dict[str, Any]]
) -> None:
    """By default; the next visitor's push comes before the application has answered."""
    for _ in range(2):
        seen = node(f"{server.url}/preload")
        assert (seen["body"], seen["pushed"]["/hello"]["body"]) == ("preload\n", "hello, world\n")


def test_link_of_a_response_stays_a_link(
    serve_app: Callable[..., Server], node: Callable[..., dict[str, Any]]
) -> None:
    server = serve_app("asgi_basic:app", "--push", "off")
    for _ in range(2):
        seen = node(f"{server.url}/preload")
        assert (seen["body"], seen["pushed"]) == ("preload\n", {})


def test_informational_events(server: Server, node: Callable[..., dict[str, Any]]) -> None:
    seen = node(f"{server.url}/hints")
    assert seen["events"] == ["informational 103"] * 3 + ["response 200"]
    assert seen["informational"][0] == "</a.css>; rel=preload; as=style"


def test_trailers(server: Server, node: Callable[..., dict[str, Any]]) -> None:
    seen = node(f"{server.url}/trailers")
    assert seen["body"] == "with trailers\n"
    assert (seen["trailers"]["x-first"], seen["trailers"]["x-second"]) == ("1", "2")

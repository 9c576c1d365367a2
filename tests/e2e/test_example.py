"""What a newcomer does first: the example's page frame by frame, and `./dev` alone."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

from conftest import ROOT, Server

Herald = Callable[..., subprocess.CompletedProcess[str]]

STYLE = (ROOT / "examples/fastapi_push/static/style.css").read_text()
SCRIPT = (ROOT / "examples/fastapi_push/static/app.js").read_text()


def test_the_first_look(serve: Callable[..., Server], herald: Herald) -> None:
    server = serve("--app-dir", "examples/fastapi_push", "app:app")
    assert "herald: no certificate was given: using a development one" in server.log
    assert f"herald: try: herald get -v {server.url}/" in server.log
    result = herald("get", "-v", f"{server.url}/")
    assert result.returncode == 0, result.stderr
    frames = re.findall(r"^ *[\d.]+ #1 (->|<-) (\S+) (?:stream (\d+))?.*", result.stderr, re.M)
    order = [
        ("->", "SETTINGS", "0"),
        ("->", "HEADERS", "1"),
        ("<-", "SETTINGS", "0"),
        ("<-", "HEADERS", "1"),
        ("<-", "PUSH_PROMISE", "1"),
        ("<-", "PUSH_PROMISE", "1"),
        ("<-", "HEADERS", "1"),
        ("<-", "DATA", "1"),
    ]
    shown = [frame for frame in frames if frame in order]
    shown = [f for i, f in enumerate(shown) if f[1] != "SETTINGS" or f not in shown[:i]]
    assert shown == order, result.stderr
    for stream in ("2", "4"):
        assert f"promises stream {stream}\n" in result.stderr
        assert frames.index(("<-", "HEADERS", stream)) < frames.index(("<-", "DATA", stream))
    heads = re.findall(r"<- HEADERS stream (\d).*\n +:status: (\d+)", result.stderr)
    assert heads[:2] == [("1", "103"), ("1", "200")]
    assert sorted(heads[2:]) == [("2", "200"), ("4", "200")]
    assert "link: </static/style.css>; rel=preload; as=style" in result.stderr
    for body in ("Hello HTTP/2", STYLE, SCRIPT):
        assert body in result.stdout


def test_dev_alone_lists_its_words() -> None:
    done = subprocess.run([ROOT / "dev"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0
    for word in ("setup", "build", "serve", "test", "lint", "format", "fuzz", "bench"):
        assert re.search(rf"^\./dev {word}\b", done.stdout, re.M), word


def test_dev_refuses_an_unknown_word() -> None:
    done = subprocess.run([ROOT / "dev", "tset"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "dev: unknown word 'tset'"

"""The seed's programs, verbatim, against ``herald serve``."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, CurlResult, Server

SEED = ROOT / "examples" / "seed"
HERE = Path(__file__).parent
Herald = Callable[..., subprocess.CompletedProcess[str]]


def run_program(*words: str | Path, ca_file: Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        env={"SSL_CERT_FILE": str(ca_file), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def seed_app(serve_app: Callable[..., Server]) -> Server:
    return serve_app("seed_apps:fastapi_push")


def test_push_application_frame_by_frame(seed_app: Server, herald: Herald) -> None:
    result = herald("get", "-v", f"{seed_app.url}/")
    assert result.returncode == 0, result.stderr
    text = result.stderr + result.stdout
    assert text.count("PUSH_PROMISE") == 2
    promised = [
        int(number) for number in re.findall(r"PUSH_PROMISE stream 1.*promises stream (\d+)", text)
    ]
    assert promised == [2, 4]
    for name in ("/static/style.css", "/static/app.js", ":method", ":authority", "SETTINGS"):
        assert name in text
    assert "Hello HTTP/2" in result.stdout


def test_push_application_as_it_stands(
    serve: Callable[..., Server], curl: Callable[..., CurlResult]
) -> None:
    server = serve("--app-dir", SEED, "fastapi_push:app")
    result = curl("--http2", f"{server.url}/")
    assert (result.status, b"Hello HTTP/2" in result.body) == (200, True)
    result = curl("--http1.1", f"{server.url}/")
    assert (result.status, b"Hello HTTP/2" in result.body) == (200, True)


def test_push_with_nghttp(seed_app: Server) -> None:
    done = subprocess.run(
        ["nghttp", "-nv", "--no-verify-peer", f"{seed_app.url}/"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert text.count("recv PUSH_PROMISE frame <length=") == 2
    assert re.findall(r"recv PUSH_PROMISE frame <.*stream_id=(\d+)>", text) == ["13", "13"]
    assert sorted(re.findall(r"promised_stream_id=(\d+)", text)) == ["2", "4"]
    for stream in (2, 4):
        assert re.search(rf"recv \(stream_id={stream}\) :status: 200", text)
        assert re.search(rf"recv DATA frame <length=\d+, flags=0x\w+, stream_id={stream}>", text)


def test_early_hints_application(
    serve: Callable[..., Server], curl: Callable[..., CurlResult]
) -> None:
    server = serve("--app-dir", SEED, "early_hints_app:app")
    for options in (["--http1.1"], ["--http2"]):
        result = curl(*options, f"{server.url}/")
        assert [status for status, _ in result.informational] == [103]
        assert "as=s" in result.informational[0][1]["link"]
        assert (result.status, b"Early hints" in result.body) == (200, True)


def test_httpx_client(serve_app: Callable[..., Server], ca_file: Path) -> None:
    server = serve_app("seed_apps:api", "--access-logfile", "-")
    local = f"127.0.0.1:{server.port}"
    output = run_program(
        HERE / "redirect_names.py",
        "api.example.com:443",
        local,
        SEED / "httpx_client.py",
        ca_file=ca_file,
    )
    assert output.splitlines() == [
        "HTTP/2 200 /users 7",
        "HTTP/2 200 /orders 7",
        "HTTP/2 200 /products 7",
    ]


def test_priorities_program(serve_app: Callable[..., Server], ca_file: Path) -> None:
    """The style sheet is whole before the image that depends on it begins."""
    server = serve_app("seed_apps:api")
    output = run_program(
        SEED / "hyper_h2_priorities.py", "127.0.0.1", str(server.port), ca_file, ca_file=ca_file
    )
    lines = [line.split() for line in output.splitlines()]
    assert ["end", "1"] in lines and ["end", "3"] in lines
    assert lines.index(["end", "1"]) < lines.index(["end", "3"])
    before = [line for line in lines[: lines.index(["end", "1"])] if line[:2] == ["data", "3"]]
    sent_early = sum(int(line[2]) for line in before)
    assert sent_early <= 65536, f"{sent_early} bytes of the image came before the style sheet's end"


def test_benchmark(serve_app: Callable[..., Server], ca_file: Path) -> None:
    server = serve_app("seed_apps:api")
    output = run_program(SEED / "benchmark_http2.py", f"{server.url}/users", ca_file=ca_file)
    assert re.fullmatch(
        r"HTTP/1\.1: [\d.]+s\nHTTP/2: [\d.]+s\nSpeedup: [\d.]+x\n",
        output,
    )


def test_hypercorn_configuration(
    serve: Callable[..., Server], herald: Herald, ca_file: Path, tmp_path: Path
) -> None:
    """The file as it stands; the command line only moves the certificate and the port."""
    folder = tmp_path / "certificates"
    made = herald("cert", "--out-dir", folder)
    assert made.returncode == 0, made.stderr
    server = serve(
        "-c",
        SEED / "hypercorn_config.py",
        "--app-dir",
        HERE / "apps",
        "seed_apps:api",
        "--certfile",
        folder / "cert.pem",
        "--keyfile",
        folder / "key.pem",
    )
    done = subprocess.run(
        ["nghttp", "-nv", "--no-verify-peer", f"{server.url}/users"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    settings = text[text.index("recv SETTINGS frame") :]
    settings = settings[: settings.index("send")] if "send" in settings else settings
    assert "[SETTINGS_MAX_CONCURRENT_STREAMS(0x03):100]" in settings
    assert "[SETTINGS_MAX_HEADER_LIST_SIZE(0x06):65536]" in settings
    window = re.search(r"SETTINGS_INITIAL_WINDOW_SIZE\(0x04\):(\d+)", settings)
    assert window is None or window.group(1) == "65535", "65535 is also what absence means"
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    assert len(children.split()) == 4, "workers = 4"

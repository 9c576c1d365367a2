"""The cases: who is compared, under which load, and what the goal is."""

from __future__ import annotations

from dataclasses import dataclass

from .load import Load

FILE_PEERS = ("h2o", "nghttpd", "nginx", "haproxy", "caddy")
H1_PEERS = ("h2o", "nginx", "haproxy", "caddy")
HELLO = "hello:app"


@dataclass(frozen=True)
class Case:
    """`measure`: "cpu" (a request, lower is better), "rate" (throughput, higher is better),
    "idle" (bytes a connection), "stalled" (bytes a stream). `goal` is the bound of the ratio
    Herald / best peer, or of the bytes themselves for "stalled"."""

    name: str
    title: str
    peers: tuple[str, ...]
    load: Load
    goal: float
    measure: str = "cpu"
    proxy: bool = False
    app: str = ""
    extra: tuple[tuple[str, float], ...] = ()


def _file(name: str, size: int, connections: int, streams: int) -> Load:
    return Load(f"/{name}", size, connections, streams)


CASES = (
    Case("h2-13", "h2 TLS, 13 B file, 10 x 100", FILE_PEERS, _file("13.txt", 13, 10, 100), 0.7),
    Case("h2-13-100x1", "h2 TLS, 13 B, 100 x 1", FILE_PEERS, _file("13.txt", 13, 100, 1), 0.9),
    Case("h2-1k", "h2 TLS, 1 KiB, 10 x 100", FILE_PEERS, _file("1k.bin", 1 << 10, 10, 100), 0.7),
    Case(
        "h2-10k", "h2 TLS, 10 KiB, 10 x 100", FILE_PEERS, _file("10k.bin", 10 << 10, 10, 100), 0.9
    ),
    Case(
        "h2-10m",
        "h2 TLS, 10 MiB file, 1 x 4",
        ("h2o", "nghttpd", "nginx", "caddy"),
        _file("10m.bin", 10 << 20, 1, 4),
        0.9,
    ),
    Case(
        "h1-tls",
        "h1 TLS, 13 B, 100 connections",
        H1_PEERS,
        Load("/13.txt", 13, 100, 1, http1=True),
        0.9,
    ),
    Case(
        "h1",
        "h1 cleartext, 13 B, 100 connections",
        H1_PEERS,
        Load("/13.txt", 13, 100, 1, http1=True, tls=False),
        0.9,
    ),
    Case(
        "proxy",
        "reverse proxy, h2 in, h1 out, 1 KiB, 10 x 10",
        H1_PEERS,
        _file("1k.bin", 1 << 10, 10, 10),
        1.0,
        proxy=True,
    ),
    Case(
        "asgi-h1",
        "ASGI hello, h1 cleartext, 100 connections",
        ("granian", "uvicorn", "hypercorn", "gunicorn"),
        Load("/", 13, 100, 1, http1=True, tls=False),
        1.3,
        measure="rate",
        app=HELLO,
    ),
    Case(
        "asgi-h2",
        "ASGI hello, h2 TLS, 10 x 10",
        ("granian", "hypercorn"),
        Load("/", 13, 10, 10),
        2.0,
        measure="rate",
        app=HELLO,
        extra=(("hypercorn", 20.0),),
    ),
    Case(
        "fastapi",
        "FastAPI JSON, h1 cleartext, 100 connections",
        ("granian", "uvicorn", "hypercorn", "gunicorn"),
        Load("/items/7?query=x", 47, 100, 1, http1=True, tls=False),
        1.1,
        measure="rate",
        app="items:app",
    ),
    Case(
        "idle",
        "idle h2 TLS connection after one request, memory",
        FILE_PEERS,
        _file("13.txt", 13, 500, 1),
        0.7,
        measure="idle",
    ),
    Case(
        "stalled",
        "1 MiB download stalled at window 0, memory a stream",
        ("h2o", "nghttpd", "nginx", "caddy"),
        _file("1m.bin", 1 << 20, 10, 50),
        20 * 1024,
        measure="stalled",
    ),
)

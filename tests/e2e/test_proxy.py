"""The reverse proxy in front of a scripted upstream that records exact bytes and misbehaves.

Rows PX-01 to PX-04 and PX-06, SM-11, SM-16, SM-18 and SM-19 of the attack catalogue.
"""

from __future__ import annotations

import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import CurlResult, Server, Target, wait_until

MEBIBYTE = 1 << 20
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """One connection of the proxy, as the upstream sees it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = b""
        self.pending = b""
        self.ended = False

    def _more(self) -> bool:
        try:
            piece = self.sock.recv(65536)
        except OSError:
            piece = b""
        self.received += piece
        self.pending += piece
        self.ended = self.ended or not piece
        return bool(piece)

    def read_head(self) -> bytes | None:
        """The next request's head with its empty line; None at the end of the connection."""
        while b"\r\n\r\n" not in self.pending:
            if not self._more():
                return None
        head, _, self.pending = self.pending.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def read_body(self, head: bytes) -> bytes:
        """The body that belongs to ``head``."""
        length = re.search(rb"\r\ncontent-length: (\d+)\r\n", head)
        if length is not None:
            while len(self.pending) < int(length[1]) and self._more():
                pass
            body, self.pending = self.pending[: int(length[1])], self.pending[int(length[1]) :]
            return body
        body = b""
        while b"\r\ntransfer-encoding: chunked\r\n" in head:
            while b"\r\n" not in self.pending and self._more():
                pass
            line, _, self.pending = self.pending.partition(b"\r\n")
            size = int(line, 16)
            if size == 0:
                while b"\r\n" not in self.pending and self._more():
                    pass
                self.pending = self.pending.partition(b"\r\n")[2]
                break
            while len(self.pending) < size + 2 and self._more():
                pass
            body, self.pending = body + self.pending[:size], self.pending[size + 2 :]
        return body

    def send(self, data: bytes) -> bool:
        try:
            self.sock.sendall(data)
        except OSError:
            return False
        return True

    def wait_for_end(self) -> None:
        while self._more():
            pass


Script = Callable[[Peer], None]


@dataclass
class Upstream:
    """A listening socket; each accepted connection runs the script in a thread of its own."""

    script: Script
    sock: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    peers: list[Peer] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.sock.getsockname()[1]}"

    @property
    def received(self) -> bytes:
        return b"".join(peer.received for peer in self.peers)

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            peer = Peer(sock)
            self.peers.append(peer)
            threading.Thread(target=self._run, args=(peer,), daemon=True).start()

    def _run(self, peer: Peer) -> None:
        with peer.sock:
            self.script(peer)

    def close(self) -> None:
        self.sock.close()
        for peer in self.peers:
            peer.sock.close()


@pytest.fixture
def upstream() -> Iterator[Callable[[Script], Upstream]]:
    started: list[Upstream] = []

    def start(script: Script) -> Upstream:
        found = Upstream(script)
        started.append(found)
        found.start()
        return found

    yield start
    for one in started:
        one.close()


def answering(*answers: bytes) -> Script:
    """Answers requests on a connection with these in turn, then with the last one."""

    def script(peer: Peer) -> None:
        left = list(answers)
        while (head := peer.read_head()) is not None:
            peer.read_body(head)
            if not peer.send(left.pop(0) if len(left) > 1 else left[0]):
                return

    return script


def then_close(answer: bytes) -> Script:
    """Sends this after the first request and closes."""

    def script(peer: Peer) -> None:
        if peer.read_head() is not None:
            peer.send(answer)

    return script


def echo(peer: Peer) -> None:
    while (head := peer.read_head()) is not None:
        body = peer.read_body(head)
        if not peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)):
            return


def lines_of(head: bytes) -> list[str]:
    return head.decode().split("\r\n\r\n")[0].split("\r\n")


def test_what_the_upstream_gets(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    target_of: Callable[[Server], Target],
    curl: Callable[..., CurlResult],
) -> None:
    """SM-11, SM-16, SM-19: the request is built anew, strictly."""
    back = upstream(answering(OK))
    where = target_of(serve(back.url))
    sent = ["-A", "me", "-H", "X-Forwarded-For: 6.6.6.6", "-H", "X-Forwarded-Proto: gopher"]
    sent += ["-H", "X_Forwarded_For: 6.6.6.6", "-H", "Forwarded: for=6.6.6.6", "-H", "X-Mine: 1"]
    sent += [
        "-H",
        "X-Real-IP: 6.6.6.6",
        "-H",
        "Proxy-Authorization: Basic eA==",
        "-H",
        "Cookie: a=b",
    ]
    if "--http1.1" in where.options:
        sent += ["-H", "Connection: upgrade, x-hop", "-H", "Upgrade: websocket", "-H", "X-Hop: 1"]
    result = curl(*where.options, *sent, f"{where.url}/a/b?c=d")
    assert (result.status, result.body) == (200, b"ok")
    authority = where.url.partition("://")[2]
    version = "1.1" if "--http1.1" in where.options else "2"
    assert sorted(lines_of(back.received)) == sorted(
        [
            "GET /a/b?c=d HTTP/1.1",
            f"host: {authority}",
            "user-agent: me",
            "accept: */*",
            "x-mine: 1",
            "cookie: a=b",
            "x-forwarded-for: 127.0.0.1",
            f"x-forwarded-proto: {where.url.partition('://')[0]}",
            f"x-forwarded-host: {authority}",
            f"via: {version} herald",
        ]
    )


def test_bodies(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    target_of: Callable[[Server], Target],
    curl: Callable[..., CurlResult],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    where = target_of(serve(upstream(echo).url))
    path = tmp_path_factory.mktemp("proxy") / "body"
    for size in (0, 1, 70_000, 3 * MEBIBYTE):
        path.write_bytes(bytes(i * 31 & 255 for i in range(1000)) * (size // 1000 + 1))
        with path.open("r+b") as file:
            file.truncate(size)
        for framing in ([], ["-H", "Transfer-Encoding: chunked"]):
            if framing and "--http1.1" not in where.options:
                continue
            result = curl(*where.options, *framing, "--data-binary", f"@{path}", f"{where.url}/")
            assert result.status == 200
            assert result.body == path.read_bytes()


def test_hints_and_trailers(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    target_of: Callable[[Server], Target],
    curl: Callable[..., CurlResult],
) -> None:
    answer = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nAlt-Svc: h3=":1"\r\nX-A: 1\r\n\r\n'
        b"4\r\npage\r\n0\r\nX-Checksum: 7\r\n\r\n"
    )
    where = target_of(serve(upstream(answering(answer)).url))
    result = curl(*where.options, f"{where.url}/")
    assert (result.status, result.body) == (200, b"page")
    assert [status for status, _ in result.informational] == [103]
    assert result.informational[0][1]["link"] == "</a.css>; rel=preload"
    assert result.headers["x-a"] == "1"
    assert result.headers.get("alt-svc") != 'h3=":1"', "the upstream's is not ours"


def test_preload_link_becomes_a_hint(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    curl: Callable[..., CurlResult],
) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nLink: </a.css>; rel=preload; as=style\r\n"
        b"Content-Type: text/html\r\nContent-Length: 2\r\n\r\nok"
    )
    back = upstream(answering(answer))
    server = serve(back.url, "--push", "hint")
    result = curl("--http2", f"{server.url}/")
    assert [status for status, _ in result.informational] == [103]
    server = serve(back.url, "--push", "off")
    result = curl("--http2", f"{server.url}/")
    assert result.informational == []
    assert "link" in result.headers


def test_preload_link_becomes_a_push(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    herald: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """The pushed path is asked of the upstream like any other."""

    def script(peer: Peer) -> None:
        while (head := peer.read_head()) is not None:
            page = head.startswith(b"GET / ")
            link = b"Link: </a.css>; rel=preload; as=style\r\n" if page else b""
            body = b"page" if page else b"style"
            peer.send(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (link, len(body)) + body)

    back = upstream(script)
    result = herald("get", "-v", f"{serve(back.url, '--push', 'push').url}/")
    assert result.returncode == 0, result.stderr
    assert "PUSH_PROMISE" in result.stderr + result.stdout
    assert sorted(re.findall(rb"GET (\S+) ", back.received)) == [b"/", b"/a.css"]


def test_https_upstream(
    serve: Callable[..., Server],
    curl: Callable[..., CurlResult],
    tmp_path: Path,
) -> None:
    """The upstream's certificate is verified: ours is known on loopback, a stranger's is not."""
    (tmp_path / "index.html").write_text("behind TLS")
    server = serve(serve(tmp_path).url)
    result = curl(f"{server.plain_url}/")
    assert (result.status, result.body) == (200, b"behind TLS")

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "2"]
        + ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )
    stranger = serve(tmp_path, "--certfile", certificate, "--keyfile", key)
    server = serve(stranger.url)
    assert curl(f"{server.plain_url}/").status == 502
    server.wait_for("certificate")
    server = serve(stranger.url, "--upstream-insecure")
    assert curl(f"{server.plain_url}/").body == b"behind TLS"
    server = serve(stranger.url, "--upstream-ca-certs", certificate)
    assert curl(f"{server.plain_url}/").body == b"behind TLS"


def test_statuses_without_content(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    target_of: Callable[[Server], Target],
    curl: Callable[..., CurlResult],
) -> None:
    heads = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
    ]
    back = upstream(answering(*heads, OK))
    where = target_of(serve(back.url))
    result = curl(*where.options, "-I", f"{where.url}/")
    assert (result.status, result.headers["content-length"]) == (200, "9")
    assert curl(*where.options, f"{where.url}/").status == 204
    assert curl(*where.options, f"{where.url}/").status == 304
    assert curl(*where.options, f"{where.url}/").body == b"ok"
    assert len(back.peers) == 1, "the connection is kept"


BROKEN = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 2",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "another protocol": b"SSH-2.0-OpenSSH\r\n",
    "length and coding": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a bare line feed": b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
    "NUL in a value": b"HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 2\r\n\r\nok",
    "an upgrade nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "interim responses without end": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 500,
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
def test_broken_heads(
    answer: bytes,
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    curl: Callable[..., CurlResult],
) -> None:
    """PX-01, SM-17, SM-18: the client gets a clear 502, and the server goes on."""
    server = serve(upstream(then_close(answer)).url)
    for arguments in (["--http1.1", server.plain_url], ["--http2", server.url]):
        assert curl(*arguments).status == 502
    server.wait_for("upstream http://127.0.0.1")


CUT = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
}


@pytest.mark.parametrize("answer", CUT.values(), ids=CUT.keys())
def test_cut_bodies(
    answer: bytes,
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    target_of: Callable[[Server], Target],
    curl: Callable[..., CurlResult],
) -> None:
    """PX-01: never taken for complete."""
    where = target_of(serve(upstream(then_close(answer)).url))
    result = curl(*where.options, f"{where.url}/")
    # Cut before a byte of it went out, HTTP/1.1 can still say so by a status.
    assert result.code != 0 or result.status >= 500, "the client must see that the body is cut"


@pytest.mark.parametrize("tls", [False, True])
def test_cut_body_for_an_old_client(
    tls: bool,
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    curl: Callable[..., CurlResult],
) -> None:
    """To HTTP/1.0 the end of the connection is the end of the body: a cut one ends otherwise."""

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(CUT["chunked"])
        time.sleep(0.2)

    server = serve(upstream(script).url)
    result = curl("--http1.0", server.url if tls else server.plain_url)
    assert result.code != 0, "the client must see that the body is cut"
    assert result.body == b"half"


def test_surplus_bytes_reach_nobody(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    curl: Callable[..., CurlResult],
) -> None:
    """SM-18: what follows a complete response ends the connection and answers no request."""
    back = upstream(answering(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"))
    server = serve(back.url)
    for _ in range(20):
        assert curl(server.plain_url).body == b"ok"
    assert len(back.peers) == 20


def test_timeouts(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    target_of: Callable[[Server], Target],
    curl: Callable[..., CurlResult],
) -> None:
    """PX-02: an upstream that says nothing."""
    where = target_of(serve(upstream(Peer.wait_for_end).url, "--upstream-read-timeout", "1"))
    for arguments in ([], ["-d", "some body"]):
        begun = time.monotonic()
        assert curl(*where.options, *arguments, f"{where.url}/").status == 504
        assert 0.5 < time.monotonic() - begun < 3


def test_upstream_stops_in_the_middle(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    curl: Callable[..., CurlResult],
) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        peer.wait_for_end()

    server = serve(upstream(script).url, "--upstream-read-timeout", "1")
    begun = time.monotonic()
    assert curl("--http2", server.url).code != 0
    assert time.monotonic() - begun < 3


def test_no_upstream(
    serve: Callable[..., Server],
    curl: Callable[..., CurlResult],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    server = serve(f"http://127.0.0.1:{port}")
    result = curl(server.plain_url)
    assert result.status == 502
    server.wait_for("connection refused")


def test_stale_connections(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
) -> None:
    """PX-03: an upstream that closes idle connections at any moment; no client notices."""

    def script(peer: Peer) -> None:
        peer.sock.settimeout(0.005)
        for _ in range(7):
            if peer.read_head() is None or not peer.send(OK):
                return

    server = serve(upstream(script).url)
    with socket.create_connection(("127.0.0.1", server.plain_port), timeout=20) as client:
        reader = client.makefile("rb")
        for number in range(600):
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert reader.readline() == b"HTTP/1.1 200 OK\r\n", number
            while reader.readline() != b"\r\n":
                pass
            assert reader.read(2) == b"ok"
            time.sleep(0.005 if number % 10 == 0 else 0)


def test_slow_client_brakes_the_upstream(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
) -> None:
    """PX-04: what the client does not read the upstream cannot send."""
    sent = [0]

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\n")
        while peer.send(bytes(65536)):
            sent[0] += 65536

    server = serve(upstream(script).url)
    client = socket.create_connection(("127.0.0.1", server.plain_port))
    with client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        last = -1
        while last != sent[0] or last == 0:
            last = sent[0]
            time.sleep(0.5)
        assert sent[0] < 32 * MEBIBYTE
    wait_until(lambda: sent[0] < 48 * MEBIBYTE and server.process.poll() is None)


def test_slow_upstream_brakes_the_client(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
) -> None:
    """PX-04, the other way: an upload into an upstream that does not read."""
    stop = threading.Event()

    def script(peer: Peer) -> None:
        stop.wait(20)

    server = serve(upstream(script).url)
    taken = 0
    with socket.create_connection(("127.0.0.1", server.plain_port)) as client:
        client.settimeout(1)
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000000\r\n\r\n")
        with pytest.raises(TimeoutError):
            while True:
                taken += client.send(bytes(65536))
    assert taken < 32 * MEBIBYTE
    stop.set()


def test_client_leaves(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
) -> None:
    """SL-14: the upstream's connection ends with its client."""
    back = upstream(Peer.wait_for_end)
    server = serve(back.url)
    client = socket.create_connection(("127.0.0.1", server.plain_port))
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: b"\r\n\r\n" in back.received)
    client.close()
    wait_until(lambda: back.peers[0].ended, 3)


def test_early_answer(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    target_of: Callable[[Server], Target],
    curl: Callable[..., CurlResult],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """An answer before the upload has ended reaches the client."""

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
        peer.wait_for_end()

    where = target_of(serve(upstream(script).url))
    path = tmp_path_factory.mktemp("proxy") / "body"
    path.write_bytes(bytes(500_000))
    result = curl(*where.options, "--data-binary", f"@{path}", f"{where.url}/")
    assert (result.status, result.body) == (413, b"no")


def test_refused_requests(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    curl: Callable[..., CurlResult],
) -> None:
    back = upstream(answering(OK))
    server = serve(back.url)
    assert curl("-X", "TRACE", server.plain_url).status == 405
    with socket.create_connection(("127.0.0.1", server.plain_port), timeout=10) as client:
        client.sendall(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")
        assert client.recv(65536).startswith((b"HTTP/1.1 405 ", b"HTTP/1.1 501 "))
    vias = [word for i in range(16) for word in ("-H", f"Via: 1.1 p{i}")]
    assert curl(*vias, server.plain_url).status == 508
    assert back.received == b""


def test_proxy_in_front_of_itself(
    serve: Callable[..., Server],
    curl: Callable[..., CurlResult],
) -> None:
    """PX-06: a loop ends."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    serve(url, "--bind", "127.0.0.1:0", "--insecure-bind", f"127.0.0.1:{port}", bind=False)
    assert curl(url).status == 508


def test_mounted_with_a_path(
    serve: Callable[..., Server],
    upstream: Callable[[Script], Upstream],
    curl: Callable[..., CurlResult],
) -> None:
    back = upstream(answering(OK))
    server = serve(f"{back.url}/base/", "--root-path", "/app")
    curl(f"{server.plain_url}/app/x?y")
    curl(f"{server.plain_url}/app?y")
    assert re.findall(rb"GET (\S+) ", back.received) == [b"/base/x?y", b"/base/?y"]

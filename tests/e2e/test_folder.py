"""``herald serve ./folder`` seen by curl over every protocol, and by nghttp."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from conftest import CurlResult, Server, Target, wait_until

Curl = Callable[..., CurlResult]
TargetOf = Callable[[Server], Target]
BIG = bytes(range(256)) * 20_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>index</h1>\n")
    (folder / "style.css").write_text("h1 { color: red }\n")
    (folder / "big.bin").write_bytes(BIG)
    (folder / "empty.txt").write_bytes(b"")
    (folder / "sub" / "index.html").write_text("sub\n")
    (folder / "with space.txt").write_text("space\n")
    (folder / ".hidden").write_text("hidden\n")
    (tmp_path / "secret.txt").write_text("secret\n")
    (folder / "link-out").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture
def server(serve: Callable[..., Server], root: Path) -> Server:
    return serve(root)


def test_files_and_types(server: Server, curl: Curl, target_of: TargetOf) -> None:
    target = target_of(server)
    for path, body, kind in (
        ("/", b"<h1>index</h1>\n", "text/html; charset=utf-8"),
        ("/style.css", b"h1 { color: red }\n", "text/css; charset=utf-8"),
        ("/big.bin", BIG, "application/octet-stream"),
        ("/empty.txt", b"", "text/plain; charset=utf-8"),
        ("/sub/", b"sub\n", "text/html; charset=utf-8"),
        ("/with%20space.txt", b"space\n", "text/plain; charset=utf-8"),
    ):
        result = curl(*target.options, f"{target.url}{path}")
        assert (result.code, result.status, result.body) == (0, 200, body), path
        assert result.version.startswith(target.version)
        assert result.headers["content-type"].lower() == kind, path
        assert result.headers["content-length"] == str(len(body))
        assert result.headers["server"].startswith("herald")
        parsedate_to_datetime(result.headers["date"])
        parsedate_to_datetime(result.headers["last-modified"])


def test_head(server: Server, curl: Curl, target_of: TargetOf) -> None:
    target = target_of(server)
    result = curl(*target.options, "--head", f"{target.url}/big.bin")
    assert (result.code, result.status) == (0, 200)
    assert result.headers["content-length"] == str(len(BIG))


def test_conditional_requests(server: Server, curl: Curl, target_of: TargetOf) -> None:
    target = target_of(server)
    url = f"{target.url}/big.bin"
    first = curl(*target.options, url)
    etag, modified = first.headers["etag"], first.headers["last-modified"]
    assert etag.startswith('"')
    for name, value, status in (
        ("If-None-Match", etag, 304),
        ("If-None-Match", "*", 304),
        ("If-None-Match", f'"x", W/{etag}', 304),
        ("If-None-Match", '"x"', 200),
        ("If-Modified-Since", modified, 304),
        ("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", 200),
        ("If-Match", etag, 200),
        ("If-Match", '"x"', 412),
        ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", 412),
    ):
        result = curl(*target.options, url, "-H", f"{name}: {value}")
        assert result.status == status, (name, value)
        if status == 304:
            assert (result.body, result.headers["etag"]) == (b"", etag)


def test_ranges(server: Server, curl: Curl, target_of: TargetOf) -> None:
    target = target_of(server)
    url, size = f"{target.url}/big.bin", len(BIG)
    for wanted, first, last in (
        ("0-0", 0, 0),
        ("100-199", 100, 199),
        ("1000-", 1000, size - 1),
        ("-500", size - 500, size - 1),
        (f"{size - 1}-{size + 10}", size - 1, size - 1),
    ):
        result = curl(*target.options, url, "-H", f"Range: bytes={wanted}")
        assert (result.status, result.body) == (206, BIG[first : last + 1]), wanted
        assert result.headers["content-range"] == f"bytes {first}-{last}/{size}"
    result = curl(*target.options, url, "-H", f"Range: bytes={size}-")
    assert (result.status, result.headers["content-range"]) == (416, f"bytes */{size}")
    for wanted in ("bytes=x", "lines=1-2", "bytes=2-1"):
        result = curl(*target.options, url, "-H", f"Range: {wanted}")
        assert (result.status, len(result.body)) == (200, size), wanted
    etag = curl(*target.options, "--head", url).headers["etag"]
    for value, status in ((etag, 206), ('"x"', 200)):
        result = curl(*target.options, url, "-H", "Range: bytes=0-9", "-H", f"If-Range: {value}")
        assert result.status == status


def test_what_is_refused(server: Server, curl: Curl, target_of: TargetOf) -> None:
    target = target_of(server)
    for path, status in (
        ("/missing", 404),
        ("/.hidden", 404),
        ("/style.css/", 404),
        ("/pipe", 403),
    ):
        assert curl(*target.options, f"{target.url}{path}").status == status, path
    result = curl(*target.options, "-X", "DELETE", f"{target.url}/style.css")
    assert (result.status, result.headers["allow"]) == (405, "GET, HEAD")
    result = curl(*target.options, f"{target.url}/sub")
    assert result.status in (301, 308) and result.headers["location"].endswith("/sub/")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/sub/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%252e%252e/secret.txt",
        "/sub/%2e%2e/%2e%2e/secret.txt",
        "/..%5csecret.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "//secret.txt",
        "/....//secret.txt",
        "/sub/..;/..;/secret.txt",
        "/secret.txt%00.html",
        "/link-out",
        "/sub/../link-out",
    ],
)
def test_no_way_out(server: Server, curl: Curl, target_of: TargetOf, path: str) -> None:
    """ST-01."""
    target = target_of(server)
    result = curl(*target.options, "--path-as-is", f"{target.url}{path}")
    assert result.code == 0
    assert result.status in (400, 403, 404), result.status
    assert b"secret" not in result.body


def test_file_that_shrinks_while_it_is_sent(
    serve: Callable[..., Server], curl: Curl, target_of: TargetOf, tmp_path: Path
) -> None:
    """ST-04: the client can tell."""
    file = tmp_path / "shrinking.bin"
    file.write_bytes(bytes(64 << 20))
    server = serve(tmp_path)
    target = target_of(server)
    words = ["curl", "-sk", *target.options, "--limit-rate", "2M", "-o", "/dev/null"]
    client = subprocess.Popen([*words, f"{target.url}/shrinking.bin"])
    server_fds = Path(f"/proc/{server.process.pid}/fd")

    def opened() -> bool:
        return any(os.path.realpath(fd) == str(file) for fd in server_fds.iterdir())

    wait_until(opened)
    os.truncate(file, 1000)
    assert client.wait(60) != 0
    assert curl(*target.options, f"{target.url}/shrinking.bin").body == bytes(1000)


def test_nghttp(server: Server) -> None:
    done = subprocess.run(
        ["nghttp", "-nv", "--no-verify-peer", f"{server.url}/big.bin", f"{server.url}/style.css"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert done.returncode == 0
    assert text.count(":status: 200") == 2
    received = [int(size) for size in re.findall(r"recv DATA frame <length=(\d+)", text)]
    assert sum(received) == len(BIG) + len("h1 { color: red }\n")


def test_nghttp_prior_knowledge(server: Server) -> None:
    done = subprocess.run(
        ["nghttp", "-v", f"{server.plain_url}/style.css"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0
    assert "h1 { color: red }" in done.stdout


def test_access_log(serve: Callable[..., Server], root: Path, curl: Curl, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    server = serve(root, "--access-logfile", log)
    curl("--http2", f"{server.url}/style.css", "-A", 'agent "quoted"')
    curl("--http1.1", f"{server.plain_url}/missing")
    server.stop()
    first, second = log.read_text().splitlines()
    assert re.match(r'127\.0\.0\.1.* \[.*\] "GET /style\.css (HTTP/)?2(\.0)?" 200 18 ', first)
    assert "\\x22quoted\\x22" in first or '\\"quoted\\"' in first
    assert re.match(r'127\.0\.0\.1.* "GET /missing (HTTP/)?1\.1" 404 ', second)


def test_trace_shows_frames(serve: Callable[..., Server], root: Path, curl: Curl) -> None:
    server = serve(root, "--trace")
    curl("--http2", f"{server.url}/style.css")
    server.wait_for("SETTINGS")
    server.wait_for("HEADERS")
    server.wait_for(":path.*style.css")
    server.wait_for("DATA")

"""h2spec in strict mode against ``herald serve``, over TLS and cleartext."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Cases that the standards contradict, by transport, with the text that does.
EXPECTED = {
    "tls": {},
    "cleartext": {
        # RFC 9113 section 3.3: only a client with prior knowledge begins with the preface; on a
        # port that also speaks HTTP/1.1 other first bytes are an HTTP/1.x message, and what is
        # none is answered with 400 and closed (RFC 9112 section 2.2).
        "http2/3.5/2": "Sends invalid connection preface",
    },
}


def find(name: str, *places: str) -> str | None:
    for place in places:
        path = ROOT / place
        if path.exists():
            return str(path)
    return shutil.which(name)


@pytest.fixture(scope="module")
def h2spec() -> str:
    program = find("h2spec", ".cache/bin/h2spec")
    if program is None:
        pytest.skip("h2spec is not here")
    return program


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    herald = os.environ.get("HERALD") or find("herald", "build/herald")
    if herald is None:
        pytest.skip("herald has not been built")
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("hello\n" * 10)
    log = folder.parent / "serve.log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [herald, "serve", str(folder), "-b", "127.0.0.1:0", "--insecure-bind", "127.0.0.1:0"],
            stdout=out,
            stderr=out,
        )
    deadline = time.monotonic() + 20
    found: dict[str, int] = {}
    while len(found) < 2 and time.monotonic() < deadline and server.poll() is None:
        found = {
            "tls" if scheme == "https" else "cleartext": int(port)
            for scheme, port in re.findall(r"on (https?)://127\.0\.0\.1:(\d+)", log.read_text())
        }
        time.sleep(0.02)
    assert len(found) == 2, log.read_text()
    yield found
    server.send_signal(signal.SIGTERM)
    assert server.wait(20) == 0


@pytest.mark.parametrize("transport", ["tls", "cleartext"])
def test_every_case_passes(
    h2spec: str, ports: dict[str, int], transport: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    command = [h2spec, "-h", "127.0.0.1", "-p", str(ports[transport]), "--strict", "-o", "3"]
    command += ["-j", str(report), *(["-t", "-k"] if transport == "tls" else [])]
    subprocess.run(command, check=False, capture_output=True, timeout=200)
    cases = ElementTree.parse(report).getroot().iter("testcase")
    total = 0
    failed: dict[str, str] = {}
    counts: dict[str, int] = {}
    for case in cases:
        total += 1
        package = case.get("package", "")
        counts[package] = counts.get(package, 0) + 1
        if case.find("failure") is not None or case.find("error") is not None:
            failed[f"{package}/{counts[package]}"] = case.get("classname", "")
    assert total >= 146
    assert failed == EXPECTED[transport], json.dumps(failed, indent=1)

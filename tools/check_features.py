"""Says which features of tests/expected_features.txt are missing; fails for them in CI."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from checks import ROOT, finish

LIST = "tests/expected_features.txt"


def output_of(*command: str) -> str:
    """What the command prints, or nothing when it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr if done.returncode == 0 else ""


def program(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


def imports(*names: str) -> Callable[[], bool]:
    code = f"import {', '.join(names)}; print('yes')"
    return lambda: "yes" in output_of(sys.executable, "-c", code)


def links_with_clang(*options: str) -> Callable[[], bool]:
    def probe() -> bool:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "probe.c"
            source.write_text(
                "#include <stddef.h>\n#include <stdint.h>\n"
                "int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);\n"
                "int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)\n"
                "{ (void)data; (void)size; return 0; }\n"
            )
            command = ["clang", *options, str(source), "-o", str(Path(folder) / "probe")]
            try:
                return subprocess.run(command, capture_output=True).returncode == 0
            except OSError:
                return False

    return probe


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def has_h2spec() -> bool:
    return shutil.which("h2spec") is not None or (ROOT / ".cache/bin/h2spec").exists()


PROBES: dict[str, Callable[[], bool]] = {
    "address-sanitizer": links_with_clang("-fsanitize=address,undefined", "-shared", "-fPIC"),
    "chromium": program("chromium"),
    "clang-format": program("clang-format"),
    "ctags": lambda: "Universal Ctags" in output_of("ctags", "--version"),
    "curl-http2": lambda: "HTTP2" in output_of("curl", "--version"),
    "django": imports("django"),
    "fastapi": imports("fastapi"),
    "flask": imports("flask"),
    "gnutls-cli": program("gnutls-cli"),
    "h2-package": imports("h2.connection"),
    "h2spec": has_h2spec,
    "httpx-http2": imports("httpx", "h2"),
    "ipv6-loopback": has_ipv6,
    "libfuzzer": links_with_clang("-fsanitize=fuzzer"),
    "libnghttp2": lambda: output_of("pkg-config", "--modversion", "libnghttp2") != "",
    "nghttp": program("nghttp"),
    "nghttpd": program("nghttpd"),
    "node-http2": lambda: "yes" in output_of("node", "-e", "require('http2'); console.log('yes')"),
    "openssl": program("openssl"),
    "playwright": imports("playwright.sync_api"),
    "starlette": imports("starlette"),
    "uvloop": imports("uvloop"),
}


def expected(root: Path) -> list[str]:
    lines = (root / LIST).read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def check(root: Path, probes: dict[str, Callable[[], bool]]) -> tuple[list[str], list[str]]:
    """Names without a probe (always wrong), and features that are missing."""
    names = expected(root)
    unknown = [f"{LIST}: no probe for '{name}'" for name in names if name not in probes]
    missing = [name for name in names if name in probes and not probes[name]()]
    return unknown, missing


def main() -> int:
    unknown, missing = check(ROOT, PROBES)
    if os.environ.get("CI") == "true":
        return finish("check_features", unknown + [f"missing: {name}" for name in missing])
    for name in missing:
        print(f"warning: {name} is missing; tests that need it are skipped")
    return finish("check_features", unknown)


if __name__ == "__main__":
    sys.exit(main())

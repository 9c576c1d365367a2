"""Chromium through Playwright, with the development CA in its trust store."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import CurlResult, Server
from playwright.sync_api import Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def page(ca_file: Path, tmp_path: Path) -> Iterator[Page]:
    """A page of a browser with a home of its own, in whose NSS store the CA is trusted."""
    store = tmp_path / ".pki" / "nssdb"
    store.mkdir(parents=True)
    database = f"sql:{store}"
    for words in (
        ["-N", "--empty-password"],
        ["-A", "-t", "C,,", "-n", "Herald development CA", "-i", str(ca_file)],
    ):
        subprocess.run(["certutil", "-d", database, *words], check=True, capture_output=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=ARGUMENTS,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        yield browser.new_page()
        browser.close()


def load_once(server: Server, page: Page, curl: Callable[..., CurlResult]) -> dict[str, float]:
    """Load the page in a context of its own; when the application saw which request."""
    curl(f"{server.url}/reset")
    assert page.context.browser is not None
    context = page.context.browser.new_context()
    fresh = context.new_page()
    response = fresh.goto(f"{server.url}/", timeout=30_000)
    assert response is not None and response.status == 200
    assert fresh.title() == "Loaded"
    colour = fresh.evaluate("getComputedStyle(document.querySelector('h1')).color")
    assert colour == "rgb(1, 2, 3)"
    protocol = fresh.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
    assert protocol == "h2"
    context.close()
    return json.loads(curl(f"{server.url}/times").body)


def test_page_over_h2_with_an_early_hint(
    serve_app: Callable[..., Server], page: Page, curl: Callable[..., CurlResult]
) -> None:
    """The style sheet that the 103 names is requested before the final response is sent.

    A browser that has only just started now and then lets the first hint it sees go by, so there
    are five loads, each with an empty cache.
    """
    server = serve_app("browser_app:app")
    for _ in range(5):
        times = load_once(server, page, curl)
        assert times["/style.css version"] == 2.0
        if times["/"] < times["/style.css"] < times["response"]:
            return
    pytest.fail("the style sheet never came before the response")


def test_push_application_loads(serve: Callable[..., Server], page: Page) -> None:
    """The example: Chromium takes no pushes, so the page must do without."""
    server = serve("--app-dir", "examples/fastapi_push", "app:app")
    response = page.goto(f"{server.url}/", timeout=30_000)
    assert response is not None and response.status == 200
    assert "Hello HTTP/2" in page.inner_text("h1")
    page.wait_for_function("document.getElementById('how').textContent.includes('over h2')")

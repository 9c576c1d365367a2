"""A page that announces what it needs: an early hint, then two pushes, then the page itself.

``herald serve --app-dir examples/fastapi_push app:app``
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse

STATIC = Path(__file__).parent / "static"

app = FastAPI(title="Herald example")


class HintedPage(HTMLResponse):
    """An HTML page preceded by an early hint and the pushes of what it links to."""

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        extensions = scope.get("extensions") or {}
        if "http.response.early_hint" in extensions:
            links = [
                b"</static/style.css>; rel=preload; as=style",
                b"</static/app.js>; rel=preload; as=script",
            ]
            await send({"type": "http.response.early_hint", "links": links})
        if "http.response.push" in extensions:
            push = extensions["http.response.push"]
            await push({"path": "/static/style.css", "headers": [(b"accept", b"text/css")]})
            await push({"path": "/static/app.js", "headers": [(b"accept", b"text/javascript")]})
        await super().__call__(scope, receive, send)


@app.get("/", response_class=HTMLResponse)
async def index(request: Request) -> HTMLResponse:
    return HintedPage(
        (STATIC / "index.html").read_text().replace("{http}", request.scope["http_version"])
    )


@app.get("/static/{name}")
async def static(name: str) -> FileResponse:
    found = {path.name: path for path in STATIC.iterdir()}.get(name)
    if found is None:
        raise HTTPException(404)
    return FileResponse(found)


@app.get("/json")
async def json() -> dict[str, str]:
    return {"message": "hello"}

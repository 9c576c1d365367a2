"""A small Starlette application around EarlyHintsResponse, which stands unchanged beside it."""

import asyncio

from early_hints_response import EarlyHintsResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

PAGE = """<!DOCTYPE html>
<html>
<head>
<link rel="stylesheet" href="/style.css">
<script src="/app.js" defer></script>
</head>
<body><h1>Early hints</h1></body>
</html>
"""


class SlowResponse(HTMLResponse):
    """A page that takes a while to make: what the hints bridge."""

    async def __call__(self, scope, receive, send):
        await asyncio.sleep(0.3)
        await super().__call__(scope, receive, send)


async def index(request: Request) -> Response:
    return EarlyHintsResponse(
        [
            "</style.css>; rel=preload; as=style",
            "</app.js>; rel=preload; as=script",
        ],
        SlowResponse(PAGE),
    )


async def style(request: Request) -> Response:
    return PlainTextResponse("h1 { color: #246; }\n", media_type="text/css")


async def script(request: Request) -> Response:
    return PlainTextResponse("document.title = 'hinted';\n", media_type="text/javascript")


app = Starlette(
    routes=[Route("/", index), Route("/style.css", style), Route("/app.js", script)],
)

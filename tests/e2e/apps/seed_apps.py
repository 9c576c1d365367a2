"""The seed's applications, and what the seed leaves out: pushed files, paths of its clients."""

import sys
from pathlib import Path

SEED = Path(__file__).resolve().parents[3] / "examples" / "seed"
sys.path.insert(0, str(SEED))

from fastapi import FastAPI, Response  # noqa: E402

from fastapi_push import app as fastapi_push  # noqa: E402


@fastapi_push.get("/static/style.css")
async def style() -> Response:
    return Response("h1 { color: red }\n", media_type="text/css")


@fastapi_push.get("/static/app.js")
async def script() -> Response:
    return Response("console.log('pushed');\n", media_type="application/javascript")


api = FastAPI()


@api.get("/users")
@api.get("/orders")
@api.get("/products")
async def listing() -> list[int]:
    return [1, 2, 3]


@api.get("/style.css")
async def big_style() -> Response:
    return Response("/* css */\n" * 4_000, media_type="text/css")


@api.get("/hero.jpg")
async def hero() -> Response:
    return Response(b"\xff\xd8" * 200_000, media_type="image/jpeg")

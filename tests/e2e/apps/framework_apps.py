"""The same small site in four frameworks: a page, JSON, an upload, a stream."""

import hashlib
import io
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import django
import fastapi
import flask
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

PRELOAD = "</json>; rel=preload; as=fetch"


async def numbers() -> AsyncIterator[bytes]:
    for number in range(1000):
        yield b"%d\n" % number


# FastAPI
fastapi_app = fastapi.FastAPI()


@fastapi_app.get("/")
async def fastapi_page() -> fastapi.Response:
    return fastapi.responses.PlainTextResponse("hello")


@fastapi_app.get("/sync")
def fastapi_sync() -> fastapi.Response:
    return fastapi.responses.PlainTextResponse("in a thread")


@fastapi_app.get("/preload")
async def fastapi_preload() -> fastapi.Response:
    return fastapi.responses.PlainTextResponse("preload", headers={"Link": PRELOAD})


@fastapi_app.get("/json")
async def fastapi_json(name: str = "nobody") -> dict[str, str]:
    return {"name": name}


@fastapi_app.post("/upload")
async def fastapi_upload(file: fastapi.UploadFile) -> str:
    return hashlib.sha256(await file.read()).hexdigest()


@fastapi_app.get("/stream")
async def fastapi_stream() -> fastapi.responses.StreamingResponse:
    return fastapi.responses.StreamingResponse(numbers())


# Starlette
async def starlette_page(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def starlette_preload(request: Request) -> PlainTextResponse:
    return PlainTextResponse("preload", headers={"Link": PRELOAD})


async def starlette_json(request: Request) -> JSONResponse:
    return JSONResponse({"name": request.query_params.get("name", "nobody")})


async def starlette_upload(request: Request) -> JSONResponse:
    form = await request.form()
    file: Any = form["file"]
    return JSONResponse(hashlib.sha256(await file.read()).hexdigest())


async def starlette_stream(request: Request) -> StreamingResponse:
    return StreamingResponse(numbers())


starlette_app = Starlette(
    routes=[
        Route("/", starlette_page),
        Route("/json", starlette_json),
        Route("/preload", starlette_preload),
        Route("/upload", starlette_upload, methods=["POST"]),
        Route("/stream", starlette_stream),
    ]
)


# Django
def django_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello", content_type="text/plain")


def django_preload(request: HttpRequest) -> HttpResponse:
    return HttpResponse("preload", headers={"Link": PRELOAD})


async def django_json(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"name": request.GET.get("name", "nobody")})


def django_upload(request: HttpRequest) -> JsonResponse:
    content = request.FILES["file"].read()
    return JsonResponse(hashlib.sha256(content).hexdigest(), safe=False)


async def django_stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(numbers())


urlpatterns = [
    path("", django_page),
    path("json", django_json),
    path("preload", django_preload),
    path("upload", django_upload),
    path("stream", django_stream),
]
if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        SECRET_KEY=os.urandom(16).hex(),
        FILE_UPLOAD_MAX_MEMORY_SIZE=10 << 20,
    )
    django.setup()
django_app = get_asgi_application()

# Flask
flask_app = flask.Flask(__name__)


@flask_app.get("/")
def flask_page() -> flask.Response:
    return flask.Response("hello", content_type="text/plain")


@flask_app.get("/preload")
def flask_preload() -> flask.Response:
    return flask.Response("preload", headers={"Link": PRELOAD})


@flask_app.get("/json")
def flask_json() -> flask.Response:
    return flask.jsonify(name=flask.request.args.get("name", "nobody"))


@flask_app.post("/upload")
def flask_upload() -> flask.Response:
    stored = io.BytesIO()
    flask.request.files["file"].save(stored)
    return flask.jsonify(hashlib.sha256(stored.getvalue()).hexdigest())


@flask_app.get("/stream")
def flask_stream() -> flask.Response:
    def parts() -> Iterator[bytes]:
        for number in range(1000):
            yield b"%d\n" % number

    return flask.Response(parts())

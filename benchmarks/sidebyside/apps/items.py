"""A FastAPI endpoint that answers with a small JSON document."""

from __future__ import annotations

from fastapi import FastAPI

app = FastAPI()


@app.get("/items/{number}")
async def item(number: int, query: str | None = None) -> dict[str, str | int | None]:
    return {"number": number, "query": query, "name": "a small thing"}

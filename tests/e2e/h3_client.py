"""A small HTTP/3 client on aioquic, for tests: one connection, many requests."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent, StreamReset

Fields = list[tuple[bytes, bytes]]


@dataclass
class Response:
    """What has come on one stream."""

    heads: list[dict[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    reset_code: int | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> int:
        """Of the final response."""
        return int(next(head[":status"] for head in self.heads if head[":status"][0] != "1"))

    @property
    def trailers(self) -> dict[str, str]:
        return self.heads[-1] if ":status" not in self.heads[-1] else {}


class Client(QuicConnectionProtocol):
    """Requests over one connection."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.http = H3Connection(self._quic)
        self.responses: dict[int, Response] = {}
        self.authority = "127.0.0.1"

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, StreamReset) and event.stream_id in self.responses:
            response = self.responses[event.stream_id]
            response.reset_code = event.error_code
            response.ended.set()
        for http_event in self.http.handle_event(event):
            self._received(http_event)

    def _received(self, event: H3Event) -> None:
        if not isinstance(event, HeadersReceived | DataReceived):
            return
        response = self.responses.get(event.stream_id)
        if response is None:
            return
        if isinstance(event, HeadersReceived):
            response.heads.append({k.decode(): v.decode() for k, v in event.headers})
        else:
            response.body += event.data
        response.began.set()
        if event.stream_ended:
            response.ended.set()

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        fields: Fields | None = None,
        trailers: Fields | None = None,
        end: bool = True,
    ) -> tuple[int, Response]:
        """Start a request; returns its stream and what will come."""
        stream_id = self._quic.get_next_available_stream_id()
        response = self.responses[stream_id] = Response()
        head: Fields = [
            (b":method", method.encode()),
            (b":scheme", b"https"),
            (b":authority", self.authority.encode()),
            (b":path", path.encode()),
            *(fields or []),
        ]
        plain = body is None and trailers is None
        self.http.send_headers(stream_id, head, end_stream=plain and end)
        if body is not None:
            self.http.send_data(stream_id, body, end_stream=trailers is None and end)
        if trailers is not None:
            self.http.send_headers(stream_id, trailers, end_stream=True)
        self.transmit()
        return stream_id, response

    async def fetch(self, method: str, path: str, **options: object) -> Response:
        """A request to its end."""
        _, response = self.send(method, path, **options)  # type: ignore[arg-type]
        await asyncio.wait_for(response.ended.wait(), 20)
        return response

    def cancel(self, stream_id: int) -> None:
        """Give a request up: STOP_SENDING and RESET_STREAM with H3_REQUEST_CANCELLED."""
        self._quic.stop_stream(stream_id, 0x10C)
        self._quic.reset_stream(stream_id, 0x10C)
        self.transmit()


@asynccontextmanager
async def client(port: int, ca_file: Path) -> AsyncIterator[Client]:
    """A connection to 127.0.0.1 that trusts the development CA."""
    configuration = QuicConfiguration(is_client=True, alpn_protocols=["h3"])
    configuration.verify_mode = ssl.CERT_REQUIRED
    configuration.load_verify_locations(str(ca_file))
    configuration.server_name = "localhost"
    async with connect(
        "127.0.0.1", port, configuration=configuration, create_protocol=Client
    ) as made:
        assert isinstance(made, Client)
        made.authority = f"127.0.0.1:{port}"
        yield made

"""RFC 9218 through a real socket: what is urgent overtakes what is already under way."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
from conftest import Server

LARGE = 10 << 20
WINDOW = (1 << 31) - 1


class Client:
    """An HTTP/2 client with a small receive buffer that reads only when it is told to."""

    def __init__(self, port: int, ca_file: Path | None) -> None:
        plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        plain.settimeout(20)
        plain.connect(("127.0.0.1", port))
        self.socket = plain
        if ca_file is not None:
            context = ssl.create_default_context(cafile=str(ca_file))
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(plain, server_hostname="127.0.0.1")
        self.scheme = "http" if ca_file is None else "https"
        config = h2.config.H2Configuration(header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        self.h2.increment_flow_control_window(WINDOW - 65535)
        self.flush()
        self.data: dict[int, int] = {}
        self.answered: set[int] = set()
        self.ended: set[int] = set()

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def get(self, path: str, priority: str) -> int:
        stream = self.h2.get_next_available_stream_id()
        head = [
            (":method", "GET"),
            (":scheme", self.scheme),
            (":path", path),
            (":authority", "127.0.0.1"),
            ("priority", priority),
        ]
        self.h2.send_headers(stream, head, end_stream=True)
        self.flush()
        return stream

    def read(self) -> None:
        received = self.socket.recv(4096)
        assert received, "the server closed the connection"
        for event in self.h2.receive_data(received):
            if isinstance(event, h2.events.ResponseReceived):
                self.answered.add(event.stream_id)
            elif isinstance(event, h2.events.DataReceived):
                count = len(event.data)
                self.data[event.stream_id] = self.data.get(event.stream_id, 0) + count
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
        self.flush()


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "cleartext"])
def test_an_urgent_response_overtakes(
    serve: Callable[..., Server], ca_file: Path, tmp_path: Path, tls: bool
) -> None:
    (tmp_path / "large").write_bytes(bytes(LARGE))
    (tmp_path / "small").write_bytes(b"s" * 100)
    server = serve(tmp_path)
    client = Client(server.port if tls else server.plain_port, ca_file if tls else None)
    large = client.get("/large", "u=7")
    while client.data.get(large, 0) < 1 << 20:
        client.read()
    before = client.data[large]
    small = client.get("/small", "u=0")
    while small not in client.ended:
        client.read()
    # It waits for at most 64 KiB on our side; what was under way to the receive buffer (the kernel
    # doubles the 16 KiB asked for) had left us before.
    assert client.data[large] - before <= (64 + 32) * 1024
    while large not in client.ended:
        client.read()
    assert client.data[large] == LARGE
    client.socket.close()

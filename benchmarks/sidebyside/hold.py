"""A client that holds HTTP/2 connections open, for the memory cases."""

from __future__ import annotations

import socket
import ssl
import struct
import time

from .load import Load
from .place import BenchError
from .processes import Server

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def request_block(port: int, path: str) -> bytes:
    """GET by HPACK: static entries, and literals that enter no table."""
    authority = f"127.0.0.1:{port}".encode()
    block = b"\x82\x87" + b"\x01" + bytes([len(authority)]) + authority
    return block + b"\x04" + bytes([len(path)]) + path.encode()


class Connection:
    """One connection over TLS, its handshake and settings done."""

    def __init__(self, port: int, window: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        self.port = port
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10))
        self.socket.settimeout(10)
        setting = struct.pack(">HI", INITIAL_WINDOW_SIZE, window)
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, setting))
        self.pending = b""
        self.next_stream = 1

    def _read_frame(self) -> tuple[int, int, int]:
        while True:
            if len(self.pending) >= 9:
                length = int.from_bytes(self.pending[:3], "big")
                if len(self.pending) >= 9 + length:
                    kind, flags = self.pending[3], self.pending[4]
                    stream = int.from_bytes(self.pending[5:9], "big")
                    self.pending = self.pending[9 + length :]
                    if kind == SETTINGS and not flags & ACK:
                        self.socket.sendall(frame(SETTINGS, ACK, 0))
                    return kind, flags, stream
            more = self.socket.recv(65536)
            if not more:
                raise BenchError("the server closed a connection that was to be held")
            self.pending += more

    def request(self, path: str, streams: int) -> None:
        block = request_block(self.port, path)
        wire = b""
        for _ in range(streams):
            wire += frame(HEADERS, END_STREAM | END_HEADERS, self.next_stream, block)
            self.next_stream += 2
        self.socket.sendall(wire)

    def await_end(self) -> None:
        while True:
            kind, flags, _ = self._read_frame()
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                return

    def ping(self) -> None:
        """Returns once the server has seen everything sent before."""
        self.socket.sendall(frame(PING, 0, 0, b"12345678"))
        while True:
            kind, flags, _ = self._read_frame()
            if kind == PING and flags & ACK:
                return


def _settled(server: Server) -> int:
    """The server's memory, once it has had time to let go of what it keeps for a while."""
    time.sleep(2.5)
    return server.memory()


def _close(held: list[Connection]) -> None:
    for connection in held:
        connection.socket.close()
    time.sleep(0.5)


def idle(server: Server, load: Load) -> float:
    """Bytes a connection that has made one request and waits."""
    warm = [Connection(server.port, 65535) for _ in range(20)]
    for connection in warm:
        connection.request(load.path, 1)
        connection.await_end()
    before = _settled(server)
    held = []
    for _ in range(load.connections):
        connection = Connection(server.port, 65535)
        held.append(connection)
        connection.request(load.path, 1)
        connection.await_end()
    for connection in held:
        connection.ping()
    result = (_settled(server) - before) / load.connections
    _close(held + warm)
    return result


def stalled(server: Server, load: Load) -> float:
    """Bytes a stream whose request has been read and whose body waits for a window."""
    held = []
    for _ in range(load.connections):
        connection = Connection(server.port, 0)
        held.append(connection)
        connection.request("/13.txt", 1)
        connection.ping()
    before = _settled(server)
    for connection in held:
        connection.request(load.path, load.streams)
        # Not until the heads have come: nginx sends none before there is a window.
        connection.ping()
    result = (_settled(server) - before) / (load.connections * load.streams)
    _close(held)
    return result

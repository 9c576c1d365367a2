"""The hyper-h2 priorities program, with a socket loop around it.

Usage: hyper_h2_priorities.py HOST PORT CA_FILE
Prints a line for each DATA frame (stream, bytes) and each end of a stream, in the order of arrival.
"""

import socket
import ssl
import sys

# Using hyper-h2 library for low-level HTTP/2
import h2.connection
import h2.config
import h2.events

config = h2.config.H2Configuration(client_side=True)
conn = h2.connection.H2Connection(config=config)
conn.initiate_connection()

# High-priority request for CSS (weight 256, highest)
conn.send_headers(
    stream_id=1,
    headers=[
        (":method", "GET"),
        (":path", "/style.css"),
        (":scheme", "https"),
        (":authority", "example.com"),
    ],
    priority_weight=256,
)

# Lower-priority request for an image (weight 16)
conn.send_headers(
    stream_id=3,
    headers=[
        (":method", "GET"),
        (":path", "/hero.jpg"),
        (":scheme", "https"),
        (":authority", "example.com"),
    ],
    priority_weight=16,
    priority_depends_on=1,  # depends on CSS stream
)

# h2 leaves the requests open, as for a body to come; both are GETs.
conn.end_stream(1)
conn.end_stream(3)


def main(host: str, port: int, ca_file: str) -> None:
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((host, port)) as raw,
        context.wrap_socket(raw, server_hostname="example.com") as tls,
    ):
        tls.sendall(conn.data_to_send())
        ended = set()
        while ended != {1, 3}:
            data = tls.recv(65536)
            if not data:
                raise SystemExit("the server closed the connection")
            for event in conn.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    print("data", event.stream_id, len(event.data), flush=True)
                    conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    print("end", event.stream_id, flush=True)
                    ended.add(event.stream_id)
                elif isinstance(event, h2.events.StreamReset):
                    raise SystemExit(f"stream {event.stream_id} was reset: {event.error_code}")
            tls.sendall(conn.data_to_send())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])

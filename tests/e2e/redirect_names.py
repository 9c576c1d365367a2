"""Runs a Python program as it stands with one host name pointed at a local port.

Usage: redirect_names.py NAME:PORT ADDRESS:PORT PROGRAM [ARGUMENT...]

In the program NAME resolves to ADDRESS, and a connection to PORT there goes to the second PORT.
The program itself is not touched.
"""

import runpy
import socket
import sys
from typing import Any

real_getaddrinfo = socket.getaddrinfo
real_connect = socket.socket.connect


def main() -> None:
    name, port = sys.argv[1].rsplit(":", 1)
    address, local_port = sys.argv[2].rsplit(":", 1)

    def getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        return real_getaddrinfo(address if text == name else host, *rest, **named)

    def connect(self: socket.socket, target: Any) -> None:
        if isinstance(target, tuple) and target[:2] == (address, int(port)):
            target = (address, int(local_port))
        real_connect(self, target)

    socket.getaddrinfo = getaddrinfo
    socket.socket.connect = connect  # type: ignore[method-assign]
    del sys.argv[1:3]
    sys.argv.pop(0)
    runpy.run_path(sys.argv[0], run_name="__main__")


main()

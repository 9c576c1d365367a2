"""Runs a Python program as it stands with one host name pointed at a local port.

Usage: redirect_names.py NAME:PORT ADDRESS:PORT PROGRAM [ARGUMENT...]

Every look-up of NAME:PORT in the program gives ADDRESS:PORT; the program itself is not touched.
"""

import runpy
import socket
import sys
from typing import Any

real_getaddrinfo = socket.getaddrinfo


def main() -> None:
    name, port = sys.argv[1].rsplit(":", 1)
    address, local_port = sys.argv[2].rsplit(":", 1)

    def getaddrinfo(host: Any, service: Any, *rest: Any, **named: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        if text == name and str(service) == port:
            host, service = address, int(local_port)
        return real_getaddrinfo(host, service, *rest, **named)

    socket.getaddrinfo = getaddrinfo
    del sys.argv[1:3]
    sys.argv.pop(0)
    runpy.run_path(sys.argv[0], run_name="__main__")


main()

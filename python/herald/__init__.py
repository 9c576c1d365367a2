"""Herald: an HTTP/1.1 and HTTP/2 server for ASGI and WSGI applications.

``herald serve app:app`` on the command line, or ``herald.main(["serve", "app:app"])`` from Python.
"""

from herald._command import main
from herald._ext import ClientDisconnected, __version__

__all__ = ["ClientDisconnected", "__version__", "main"]

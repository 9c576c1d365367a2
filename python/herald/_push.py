"""The value of ``scope["extensions"]["http.response.push"]``."""

from typing import Any

from herald._ext import Exchange, Step


class PushExtension(dict[str, Any]):
    """An empty mapping, as the ASGI specification has it, that can also be called.

    ``await push({"path": "/style.css", "headers": [(b"accept", b"text/css")]})`` promises a path
    on the response that is being made.
    """

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        """``exchange`` is the one whose response announces the pushes."""
        super().__init__()
        self._exchange = exchange

    def __call__(self, message: dict[str, Any]) -> Step:
        """Promise ``message["path"]``; ``message["headers"]`` go with the promised request."""
        return self._exchange.push(message)

from starlette.responses import Response

class EarlyHintsResponse(Response):
    def __init__(self, hints: list[str], final_response: Response):
        self.hints = hints
        self.final_response = final_response

    async def __call__(self, scope, receive, send):
        # Send 103 Early Hints
        await send({
            "type": "http.response.start",
            "status": 103,
            "headers": [
                (b"link", hint.encode()) for hint in self.hints
            ],
        })
        # Send final response
        await self.final_response(scope, receive, send)

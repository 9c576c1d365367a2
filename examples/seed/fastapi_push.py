from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

app = FastAPI()

@app.get("/", response_class=HTMLResponse)
async def index(request: Request):
    # Check if server push is available
    if "http.response.push" in request.scope.get("extensions", {}):
        push = request.scope["extensions"]["http.response.push"]
        # Push CSS before sending HTML
        await push({
            "path": "/static/style.css",
            "headers": [
                (b"accept", b"text/css"),
            ],
        })
        # Push JavaScript
        await push({
            "path": "/static/app.js",
            "headers": [
                (b"accept", b"application/javascript"),
            ],
        })
    return HTMLResponse(content="""
    <!DOCTYPE html>
    <html>
    <head>
        <link rel="stylesheet" href="/static/style.css">
        <script src="/static/app.js" defer></script>
    </head>
    <body><h1>Hello HTTP/2</h1></body>
    </html>
    """)

import asyncio

import httpx

async def main():
    # HTTP/2 client
    async with httpx.AsyncClient(http2=True) as client:
        # All requests to the same host share one connection
        responses = await asyncio.gather(
            client.get("https://api.example.com/users"),
            client.get("https://api.example.com/orders"),
            client.get("https://api.example.com/products"),
        )
    for response in responses:
        print(response.http_version, response.status_code, response.url.path, len(response.content))

if __name__ == "__main__":
    asyncio.run(main())

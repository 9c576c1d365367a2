import httpx
import time
import asyncio

async def benchmark_http2(url: str, num_requests: int = 20):
    # HTTP/1.1
    start = time.perf_counter()
    async with httpx.AsyncClient(http1=True, http2=False) as client:
        await asyncio.gather(*[client.get(url) for _ in range(num_requests)])
    h1_time = time.perf_counter() - start

    # HTTP/2
    start = time.perf_counter()
    async with httpx.AsyncClient(http2=True) as client:
        await asyncio.gather(*[client.get(url) for _ in range(num_requests)])
    h2_time = time.perf_counter() - start

    print(f"HTTP/1.1: {h1_time:.3f}s")
    print(f"HTTP/2: {h2_time:.3f}s")
    print(f"Speedup: {h1_time/h2_time:.1f}x")

if __name__ == "__main__":
    import sys
    asyncio.run(benchmark_http2(*sys.argv[1:2]))

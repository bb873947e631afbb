"""What is served to try the web server, without Django.

A socket does as it is told; a request is answered with the size of its body. One with `?keep`
is not answered before one with `?let-go`; `?kept` tells how many of them wait.
"""

import asyncio
import json

TAKEN = []
"""Messages whose sending is over, of all sockets."""
KEPT = []
"""The sizes of requests that wait."""
LET_GO = asyncio.Event()


async def application(scope, receive, send):
    if scope["type"] == "http":
        await measured(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await obey(json.loads(message["text"]), send)


async def measured(scope, receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    if scope["query_string"] == b"keep":
        KEPT.append(size)
        await LET_GO.wait()
    if scope["query_string"] == b"let-go":
        LET_GO.set()
    if scope["query_string"] == b"kept":
        size = len(KEPT)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def obey(order, send):
    if "flood" in order:
        for number in range(order["flood"]):
            await say(send, f"{number} {'x' * order['chars']}")
            TAKEN.append(number)
    if "say" in order:
        await say(send, order["say"])
    if "close" in order:
        await send({"type": "websocket.close", "code": order["close"]})
    if "say_late" in order:
        await say(send, order["say_late"])
        TAKEN.append("late")
    if "count" in order:
        await say(send, str(len(TAKEN)))


async def say(send, text):
    await send({"type": "websocket.send", "text": text})

"""What test_web_server serves: a socket that does as it is told, without Django."""

import json

TAKEN = []
"""Messages whose sending is over, of all sockets."""


async def application(scope, receive, send):
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await obey(json.loads(message["text"]), send)


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

"""What stands before every request of `wgan serve`: who may ask, how much, and how long the sending may take. No dependency."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(:\d{1,5})?")


class Refused(Exception):
    """A request that is answered with a status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


@dataclass(frozen=True)
class Guard:
    """Hands on a request to `app` once its Host and Origin are right and its body is whole, and answers it otherwise.

    hosts: the names under which the server may be asked, beside localhost and plain addresses. A page of another site can
    make a browser send requests here; its Origin tells, and where it uses its own name for this machine, the Host does.
    """

    app: Application
    hosts: frozenset[str]
    most: int = 16_384  # bytes of a body; a request has about 100
    seconds: float = 10.0  # in which a body must have come

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or pass a message of another kind on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self.answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def answer(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        try:
            check_names(headers_of(scope), self.hosts)
            async with asyncio.timeout(self.seconds):
                body = await self.body(receive)
        except TimeoutError:
            await refuse(send, Refused(408, f"the request was not whole after {self.seconds:g} s"))
        except Refused as refusal:
            await refuse(send, refusal)
        else:
            await self.app(scope, replayed(body, receive), send)

    async def body(self, receive: Receive) -> bytes:
        """Return the whole body; Refused for more than `most` bytes."""
        whole = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise Refused(400, "the request ended too early")
            whole += message.get("body", b"")
            if len(whole) > self.most:
                raise Refused(413, f"a request holds at most {self.most} bytes")
            if not message.get("more_body"):
                return bytes(whole)


def headers_of(scope: Message) -> dict[str, list[str]]:
    """Return the headers by name in lower case."""
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def check_names(headers: dict[str, list[str]], hosts: frozenset[str]) -> None:
    """Raise Refused unless the request names this server as its host, and comes from its own page where it has an origin."""
    given = headers.get("host", [])
    match = _HOST.fullmatch(given[0]) if len(given) == 1 else None
    if match is None or not is_own(match[1], hosts):
        raise Refused(
            421, "this server is asked by its address or as localhost: another Host is not answered (see --name)"
        )
    origins = headers.get("origin", [])
    if any(origin not in (f"http://{given[0]}", f"https://{given[0]}") for origin in origins):
        raise Refused(403, "a page of another origin may not ask this server")


@lru_cache(1024)
def is_own(host: str, hosts: frozenset[str]) -> bool:
    """Return whether a Host names this server: localhost, a plain address, or one of `hosts`."""
    name = host.lower()
    if name == "localhost" or name in hosts:
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that was read already, then what comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def refuse(send: Send, refusal: Refused) -> None:
    """Send an answer that refuses a request."""
    text = json.dumps({"error": refusal.sentence}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": text})

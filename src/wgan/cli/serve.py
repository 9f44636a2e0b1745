"""`wgan serve`: one model over HTTP, on this machine unless told otherwise."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from ipaddress import ip_address
from typing import Any

from wgan.cli.sample import say
from wgan.errors import WganError
from wgan.export.heap import share_one_heap
from wgan.sampling.model import load

CONNECTIONS = 128  # open at once; a browser keeps six
GRACE = 90  # seconds that running requests have to finish once the server is told to end


def command(found: argparse.Namespace) -> int:
    """`wgan serve`: answer until Ctrl-C or SIGTERM; what runs then is finished."""
    uvicorn = server_package()
    if not 0 <= found.port <= 65535:
        raise WganError(f"port must be between 0 and 65535, not {found.port}")
    model = load(found.path, found.checkpoint, found.raw, threads=found.threads)
    say(model.notes)
    from wgan.export.serve import application

    hosts = frozenset(name.lower() for name in [found.host, *(found.name or "").split(",")] if name)
    with listening(found.host, found.port) as door:
        share_one_heap()
        app = application(model, hosts)
        announce(model.step, found.host, door.getsockname()[1])
        run(uvicorn, app, door)
    return 0


def server_package() -> Any:
    """Return uvicorn; WganError unless both packages of the extra are there."""
    try:
        import fastapi  # noqa: F401
        import uvicorn
    except ImportError:
        raise WganError("wgan serve needs fastapi and uvicorn: pip install 'wgan[serve]'") from None
    return uvicorn


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens; WganError for a port in use or an address that is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((host, port))
        door.listen(CONNECTIONS)  # from the line on that says so, whoever asks is answered
    except OSError as error:
        door.close()
        reason = (error.strerror or str(error)).lower()
        raise WganError(f"cannot serve on {host} port {port}: {reason}; give another --port or --host") from None
    return door


def announce(step: int, host: str, port: int) -> None:
    """Print where the server is, and a warning where others can reach it."""
    shown = f"[{host}]" if ":" in host else host
    if not is_loopback(host):
        print("wgan: whoever can reach this machine can use this server: it asks for no password", file=sys.stderr)
    print(f"serving the model of step {step} on http://{shown}:{port}, how to ask: /docs; Ctrl-C ends it", flush=True)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def run(uvicorn: Any, app: Any, door: socket.socket) -> None:
    """Serve until a signal, and return when what runs is finished.

    uvicorn raises the signal again when it is done: by then the command has nothing left to do, so it is let pass.
    """
    from wgan.export.patience import Patient

    config = uvicorn.Config(
        app,
        http=Patient,
        log_level="warning",
        access_log=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=GRACE,
        server_header=False,
    )
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        uvicorn.Server(config).run(sockets=[door])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

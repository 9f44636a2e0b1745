"""`wgan serve`: how much is worked on at once, and how long it waits for the other side."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from helpers.serving import Served

import wgan
from wgan.cli import serve as cli_serve
from wgan.cli.serve import CONNECTIONS
from wgan.export import patience, serve
from wgan.export.guard import Guard, Refused
from wgan.export.serve import application
from wgan.export.worker import Worker


def test_a_body_that_does_not_come_is_not_waited_for():
    sent = []

    async def silent():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "headers": [(b"host", b"localhost")]}
    asyncio.run(Guard(None, frozenset(), seconds=0.05)(scope, silent, send))
    assert sent[0]["status"] == 408 and b"was not whole" in sent[1]["body"]


@pytest.mark.parametrize("limits", [{"requests": 3}, {"samples": 3}])
def test_more_than_may_wait_are_told_to_come_again(limits):
    release = threading.Event()

    async def crowd():
        worker = Worker(**limits, seconds=20)
        waiting = [asyncio.create_task(worker.do(lambda: (release.wait(20), b"done")[1])) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(Refused, match="too many requests"):
            await worker.do(lambda: b"no")
        release.set()
        assert await asyncio.gather(*waiting) == [b"done"] * 3
        await asyncio.sleep(0.05)
        assert await worker.do(lambda: b"again") == b"again"

    asyncio.run(crowd())


def test_what_takes_too_long_is_given_up_and_still_counted():
    release = threading.Event()

    async def slow():
        worker = Worker(requests=1, seconds=0.05)
        with pytest.raises(Refused, match=r"longer than 0.05 s"):
            await worker.do(lambda: (release.wait(20), b"")[1])
        with pytest.raises(Refused, match="too many requests"):  # the thread is not free yet
            await worker.do(lambda: b"")
        release.set()
        await asyncio.sleep(0.1)
        worker.seconds = 20
        assert await worker.do(lambda: b"free") == b"free"

    asyncio.run(slow())


@pytest.fixture
def hasty_server(conditional_run, monkeypatch):
    """A server that waits for nobody longer than a moment."""
    monkeypatch.setattr(patience, "HEAD", 0.3)
    monkeypatch.setattr(patience, "TAKING", 0.5)
    with Served(application(wgan.load(conditional_run)), http=patience.Patient) as served:
        served.door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)  # or the system takes a whole answer
        yield served


def left(link):
    """Return what comes until the other side closes the connection; fails after 20 seconds."""
    link.settimeout(20)
    try:
        return b"".join(iter(lambda: link.recv(1 << 20), b""))
    except ConnectionResetError:
        return b"reset"


def soon(true):
    """Return whether something becomes true within 20 seconds."""
    end = time.monotonic() + 20
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"])
def test_a_request_that_does_not_come_ends_the_connection(hasty_server, sent):
    with socket.create_connection(("127.0.0.1", hasty_server.port)) as link:
        link.sendall(sent)
        assert left(link) == b""


def test_a_second_request_that_stops_halfway_ends_the_connection(hasty_server):
    whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hasty_server.port)) as link:
        link.sendall(whole)
        answer = b""
        while not answer.endswith(b"}"):
            answer += link.recv(1 << 16)
        link.sendall(b"GET /hea")
        assert left(link) == b""


def test_a_request_that_is_worked_on_is_not_cut_off(hasty_server, monkeypatch):
    made = serve.encoded
    monkeypatch.setattr(serve, "encoded", lambda *given: (time.sleep(1), made(*given))[1])
    assert hasty_server.ask("POST", "/sample", {"n": 30, "format": "npz"})[0] == 200


def test_an_answer_that_nobody_takes_ends_the_connection(hasty_server):
    body = json.dumps({"n": 1000, "format": "json"})
    head = f"POST /sample HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.connect(("127.0.0.1", hasty_server.port))
        link.sendall(f"{head}\r\n\r\n{body}".encode())
        open_now = hasty_server.server.server_state.connections
        assert soon(lambda: len(open_now) == 1) and soon(lambda: not open_now)


def test_a_hundred_slow_clients_keep_nobody_waiting(conditional_run):
    """With the command's own limit of open connections; some send nothing, some half the headers, some half the body."""
    head = b"POST /sample HTTP/1.1\r\nHost: localhost\r\n"
    begun = [head, b"G", b"", head + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"]
    options = {"http": patience.Patient, "limit_concurrency": CONNECTIONS}
    with Served(application(wgan.load(conditional_run)), **options) as served, ExitStack() as stack:
        for i in range(100):
            link = stack.enter_context(socket.create_connection(("127.0.0.1", served.port)))
            link.sendall(begun[i % len(begun)])
        open_now = served.server.server_state.connections
        assert soon(lambda: len(open_now) == 100)
        assert served.ask("POST", "/sample", {"n": 3, "format": "npz"})[0] == 200


# as many threads as a busy server has, each with memory of its own; prints how many heaps the C library then keeps
HEAPS = """
import ctypes, sys, threading
from wgan.export.heap import share_one_heap
libc = ctypes.CDLL(None)
if not hasattr(libc, "malloc_info"):
    sys.exit(77)
if sys.argv[1] == "shared":
    assert share_one_heap()
held, all_there = [], threading.Barrier(20)
def work():
    held.append(bytes(5000))
    all_there.wait()
threads = [threading.Thread(target=work) for _ in range(20)]
[t.start() for t in threads], [t.join() for t in threads]
libc.fdopen.restype = ctypes.c_void_p
file = libc.fdopen(1, b"w")
libc.malloc_info(0, ctypes.c_void_p(file)), libc.fflush(ctypes.c_void_p(file))
"""


def test_threads_share_one_heap_of_the_c_library():
    """Heaps of their own kept the largest answers of every thread: 9 MB more in seven minutes."""
    done = {}
    for how in ("shared", "own"):
        found = subprocess.run([sys.executable, "-c", HEAPS, how], capture_output=True, text=True, timeout=60)
        if found.returncode == 77:
            pytest.skip("the C library does not count its heaps")
        done[how] = found.stdout.count("<heap nr=")
    assert done["shared"] == 1 < done["own"], done


def test_the_heap_is_shared_before_any_thread_starts(conditional_run, command, monkeypatch):
    order = []
    monkeypatch.setattr(cli_serve, "share_one_heap", lambda: order.append("heap"))
    monkeypatch.setattr(serve, "application", lambda *_: order.append("application"))
    monkeypatch.setattr(cli_serve, "run", lambda *_: order.append("run"))
    assert command("serve", conditional_run, "--port", 0).code == 0
    assert order == ["heap", "application", "run"]

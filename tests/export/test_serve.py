"""`wgan serve`: what it answers is what the command writes; who may ask, how much, and what is refused in one sentence."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from helpers.models import untrained
from helpers.serving import Served

import wgan
from wgan.cli.serve import announce, is_loopback
from wgan.export import serve
from wgan.export.guard import Refused, check_names
from wgan.export.serve import application, without_path
from wgan.models.own import OwnGenerator


@pytest.fixture(scope="module")
def server(conditional_run):
    with Served(application(wgan.load(conditional_run), frozenset({"models.example"}))) as served:
        yield served


@pytest.fixture(scope="module")
def points(ring_run):
    with Served(application(wgan.load(ring_run))) as served:
        yield served


# --- what is answered -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["png", "npz"])
@pytest.mark.parametrize("label", [None, "7", ["1", "2"]])
def test_the_answer_is_what_the_command_writes(server, conditional_run, command, tmp_path, kind, label):
    status, headers, data = server.ask("POST", "/sample", {"n": 7, "seed": 5, "label": label, "format": kind})
    assert status == 200 and headers["x-content-type-options"] == "nosniff", data
    words = [] if label is None else ["--labels", ",".join(label)]
    out = tmp_path / f"s.{kind}"
    assert command("sample", conditional_run, "-n", 7, "--seed", 5, *words, "--out", out).code == 0
    assert data == out.read_bytes()


def test_rows_come_as_csv_as_the_command_writes_them(points, ring_run, command, tmp_path):
    status, headers, data = points.ask("POST", "/sample", {"n": 150, "seed": 2, "format": "csv"})
    assert status == 200 and headers["content-type"].startswith("text/csv")
    assert command("sample", ring_run, "-n", 150, "--seed", 2, "--out", tmp_path / "s.csv").code == 0
    assert data == (tmp_path / "s.csv").read_bytes()
    columns = json.loads(points.ask("POST", "/sample", {"n": 3, "format": "json"})[2])["columns"]
    assert list(columns) == ["x0", "x1"] and [len(values) for values in columns.values()] == [3, 3]


def test_rows_that_are_asked_for_come_as_the_command_writes_them(shop, command, tmp_path):
    """Rows of a table with classes are asked for by class."""
    where, run = "colour=red,when>=2024-02-03 00:00", shop.run.path
    with Served(application(shop)) as served:
        body = {"n": 20, "where": where, "format": "csv"}
        if shop.class_names:
            assert "ask for shop with --label" in served.refusal("POST", "/sample", body)[1]
            body = {"n": 20, "label": ["W", "N"], "format": "csv"}
        status, _, data = served.ask("POST", "/sample", body)
        page = served.ask("GET", "/docs")[2]
        for wrong, said in (("colour=green", "no row of the training data"), ("size=3", "no column"), ("", "where: ")):
            assert shop.class_names or said in served.refusal("POST", "/sample", {"where": wrong})[1]
    words = ["--labels", "W,N"] if shop.class_names else ["--where", where]
    assert command("sample", run, "-n", 20, *words, "--out", tmp_path / "s.csv").code == 0
    assert status == 200 and data == (tmp_path / "s.csv").read_bytes(), data
    assert shop.class_names or data.count(b"red") == 20
    assert (b"<code>where</code>" in page) != bool(shop.class_names)


@pytest.mark.parametrize("form", ["png", "npz", "json"])
def test_a_short_answer_is_that_of_the_long_way(server, conditional_run, form, monkeypatch):
    """Few samples are made without a thread of their own, unless told otherwise."""
    body = {"n": 5, "seed": 9, "label": ["3", "1"], "format": form}
    short = server.ask("POST", "/sample", body)
    monkeypatch.setattr(serve, "is_quick", lambda *_: False)
    long = server.ask("POST", "/sample", body)
    assert short[0] == 200 and (short[1]["content-type"], short[2]) == (long[1]["content-type"], long[2])


def test_few_samples_are_quick_and_plots_are_not():
    quick = {
        form: [n for n in (1, 25, 26) if serve.is_quick(serve.Asked(n=n, format=form), (1, 28, 28))]
        for form in serve.TYPES
    }
    assert set(map(tuple, quick.values())) == {(1, 25)}
    for asked, shape in (({"where": "a=1"}, (5,)), ({}, (5,)), ({}, (2, 64)), ({"n": 7}, (3, 128, 128))):
        assert not serve.is_quick(serve.Asked(**asked), shape)


def test_images_come_as_json_with_their_labels(server, conditional_run):
    found = json.loads(server.ask("POST", "/sample", {"n": 3, "label": 4, "format": "json"})[2])
    samples = wgan.load(conditional_run).sample(3, label=4)
    assert found == {"images": samples.to_images().tolist(), "labels": [4, 4, 4]}


def test_requests_at_once_do_not_change_each_other(server):
    body = [{"n": 20, "seed": seed, "format": "npz"} for seed in range(6)]
    alone = [server.ask("POST", "/sample", one)[2] for one in body]
    together = [b""] * 6
    threads = [
        threading.Thread(target=lambda i=i: together.__setitem__(i, server.ask("POST", "/sample", body[i])[2]))
        for i in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone and len(set(alone)) == 6


def test_the_pages_say_what_the_model_is_and_how_to_ask(server):
    status, headers, page = server.ask("GET", "/")
    assert status == 200 and headers["content-type"].startswith("text/html") and b'id="weights"' in page
    asking = server.ask("GET", "/docs")[2].decode()
    assert "curl -X POST" in asking and "script-src 'none'; base-uri" in asking and "<title>How to ask" in asking
    assert json.loads(server.ask("GET", "/healthz")[2]) == {"status": "ok"}
    info = json.loads(server.ask("GET", "/info")[2])
    assert info["shape"] == [1, 28, 28] and info["classes"] == list("0123456789") and info["step"] == 2
    assert "CC BY-SA 3.0" in info["licence"] and any("not measured" in line for line in info["limits"])
    paths = json.loads(server.ask("GET", "/openapi.json")[2])["paths"]
    assert set(paths) == {"/", "/docs", "/info", "/healthz", "/sample"}


def test_a_generator_given_in_python_is_served_without_a_page(conditional_run):
    model = wgan.load(conditional_run)
    own = OwnGenerator(model.network, 8, 10)
    with Served(application(replace(model, network=own))) as served:
        page = served.ask("GET", "/")[2].decode()
    assert "a page cannot compute a generator given in Python" in page and 'href="/docs"' in page
    assert "script-src 'none'" in page and "<script" not in page


def test_signals_are_served_without_a_page():
    model = untrained((2, 16), 0, "signals", generator="mlp", generator_layers="8", critic="mlp", critic_layers="8")
    with Served(application(model)) as served:
        assert "and this model makes signals" in served.ask("GET", "/")[2].decode()
        assert np.shape(json.loads(served.ask("POST", "/sample", {"n": 3, "format": "json"})[2])["signals"]) == (
            3,
            2,
            16,
        )


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"n": 0}, 422, "n: input should be greater"),
        ({"n": 1001}, 422, "n: input should be less"),
        ({"n": 10**400}, 422, "n: "),
        ({"n": "3"}, 422, "n: input should be a valid integer"),
        ({"n": 1.5}, 422, "n: "),
        ({"n": True}, 422, "n: "),
        ({"seed": -1}, 422, "seed: "),
        ({"seed": 2**63}, 422, "seed: "),
        ({"label": "eleven"}, 400, "unknown label 'eleven'"),
        ({"label": -1}, 400, "unknown label '-1'"),
        ({"label": []}, 422, "label: "),
        ({"label": {"a": 1}}, 422, "label: "),
        ({"label": "x" * 300}, 422, "label: "),
        ({"label": "\ud800"}, 422, "label: "),
        ({"where": "colour=red"}, 400, "where is for tables"),
        ({"format": "pickle"}, 422, "format: "),
        ({"format": "csv"}, 400, "these samples are images"),
        ({"path": "/etc/passwd"}, 422, "the body: extra inputs"),
        ([1], 422, 'the body: send a JSON object, such as {"n": 1}'),
        (b"{", 422, "the body: json decode error"),
        (b"\xff\xfe\x00", 400, "error parsing the body"),
        (b"", 422, "the body: "),
        (b"[" * 16000, 400, "error parsing the body"),
        (b"x" * 20000, 413, "at most 16384 bytes"),
    ],
    ids=lambda v: str(v)[:20],
)  # the sentences are partly pydantic's
def test_a_body_that_asks_for_nothing_gets_one_sentence(server, body, status, said):
    found = server.refusal("POST", "/sample", body)
    assert found[0] == status and said in found[1], found


@pytest.mark.parametrize("body", [{"where": "a=1"}, {"given": "a=1"}, {"format": "csv"}, {"n": 70, "where": "a=1"}])
def test_no_refusal_says_where_the_model_lies(server, conditional_run, body):
    status, said = server.refusal("POST", "/sample", body)
    assert status == 400 and str(conditional_run.parent) not in said and "--" not in said, said


def test_only_the_path_of_the_model_leaves_a_sentence():
    assert without_path("the rows of run in a/run are not a/run2", Path("a/run")) == (
        "the rows of run in this model are not a/run2"
    )
    assert without_path("this is a sentence. It stays.", Path(".")) == "this is a sentence. It stays."


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/sample/x", "/%2e%2e/secret", "/static/page.js", "//healthz"])
def test_no_path_leads_to_a_file(server, path):
    assert server.refusal("GET", path)[0] == 404


def test_a_wrong_method_is_refused(server):
    assert server.refusal("GET", "/sample")[0] == 405


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "a b", "127.0.0.1@evil.example"])
def test_another_host_is_not_answered(server, host):
    """A page may give its own name the address 127.0.0.1 and then read what this server says to its visitor's browser."""
    assert server.refusal("GET", "/info", Host=host)[0] == 421


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:9", "10.0.0.7:80", "MODELS.example"]
)
def test_its_own_names_are_answered(server, host):
    assert server.ask("GET", "/healthz", Host=host)[0] == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1.evil.example"]
)
def test_a_page_of_another_origin_may_not_ask(server, origin):
    assert server.refusal("POST", "/sample", {"n": 1}, Origin=origin)[0] == 403


def test_its_own_page_may_ask(server):
    host = f"127.0.0.1:{server.port}"
    assert server.ask("POST", "/sample", {"n": 1}, Host=host, Origin=f"http://{host}")[0] == 200


def test_two_hosts_are_none():
    with pytest.raises(Refused):
        check_names({"host": ["localhost", "evil.example"]}, frozenset())


# --- the process ------------------------------------------------------------------------------------------------------


@pytest.fixture
def process(conditional_run):
    """`wgan serve` as a process, and its port."""
    words = [sys.executable, "-m", "wgan", "serve", str(conditional_run), "--port", "0"]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield child, int(re.search(r"http://127\.0\.0\.1:(\d+),", child.stdout.readline())[1])
    finally:
        child.kill()
        child.communicate()


def test_sigterm_finishes_what_runs(process):
    child, port = process
    body = json.dumps({"n": 1000, "format": "json"}).encode()
    head = [
        "POST /sample HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as link:
        link.sendall("\r\n".join([*head, "", ""]).encode() + body[:5])
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").close()  # by now the other request has begun
        os.kill(child.pid, signal.SIGTERM)
        link.sendall(body[5:])
        answer = b"".join(iter(lambda: link.recv(1 << 20), b""))
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"}")
    assert child.wait(60) == 0 and child.stderr.read() == ""


def test_a_port_in_use_gets_one_sentence(conditional_run, command):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        sentence = command("serve", conditional_run, "--port", other.getsockname()[1]).sentence()
    assert "address already in use; give another --port" in sentence


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--port", "70000"), "between 0 and 65535"),
        (("--host", "203.0.113.7"), "cannot serve on 203.0.113.7"),
        (("--checkpoint", "9"), "no checkpoint of step 9"),
    ],
)
def test_a_mistake_in_the_words_gets_one_sentence(conditional_run, command, words, said):
    assert said in command("serve", conditional_run, *words).sentence()


def test_others_than_this_machine_are_warned_of(capsys):
    for host in ("127.0.0.1", "::1", "localhost"):
        assert is_loopback(host)
        announce(2, host, 8000)
        assert capsys.readouterr().err == ""
    announce(2, "0.0.0.0", 8000)
    assert "it asks for no password" in capsys.readouterr().err


def test_without_the_extra_a_sentence_says_how_to_get_it(conditional_run, command, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'wgan[serve]'" in command("serve", conditional_run).sentence()

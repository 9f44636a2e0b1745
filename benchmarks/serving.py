"""How much `wgan serve` costs beyond the generator itself: requests a second and processor time, memory, and the page's speed.

    python benchmarks/serving.py RUN                        # about 5 minutes: n = 1 and n = 64, three rounds
    python benchmarks/serving.py RUN --only memory          # 10 minutes of requests
    python benchmarks/serving.py RUN --only page            # half a minute: the exported page's generator in Node

Needs `wrk` (and `node` for the page). The server computes in one thread. Each round measures in turn the bare generator, a
server that answers without doing anything (what HTTP alone allows), and `wgan serve`. Processor time is that of the server's
process alone. Results: benchmarks/results/serving.json, one entry for each part.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "serving.json"
TICK = os.sysconf("SC_CLK_TCK")
BATCHES = (1, 64, 100)  # of the bare generator
LOADS = [(1, "png", 1), (1, "png", 64), (1, "npz", 1), (1, "npz", 64), (1, "json", 1), (1, "json", 64), (64, "npz", 8)]
HEAD = "| | a second | processor time, ms | p99, ms | of bare, same batch | of bare, 100 rows at once |"
SCRIPT = """
local count, first = 0, 0
function setup(thread) thread:set("first", first) first = first + 100000000 end
function request()
  count = count + 1
  local body = string.format('{"n": %d, "seed": %d, "format": "%s"}', N, first + count, FORMAT)
  return wrk.format("POST", "/sample", {["Content-Type"] = "application/json"}, body)
end
"""
EMPTY = """
import sys
import uvicorn
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"900")]})
    await send({"type": "http.response.body", "body": bytes(900)})
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False, lifespan="off")
"""


def bare(run: str, seconds: float = 2.0) -> dict[int, dict[str, float]]:
    """Return for each batch the forward passes a second of the network in one thread, and milliseconds of its processor time."""
    import torch

    import wgan
    from wgan.sampling.latents import latents

    torch.set_num_threads(1)
    model = wgan.load(run, threads=1)
    found = {}
    for batch in BATCHES:
        z, told = latents(0, batch, model.network.latent), model.usual(batch, 0)
        with torch.no_grad():
            model.network(z, told)
            wall, used, passes = time.perf_counter(), time.process_time(), 0
            while time.perf_counter() - wall < seconds:
                model.network(z, told)
                passes += 1
        cost = 1000 * (time.process_time() - used) / passes
        found[batch] = {"per_second": passes / (time.perf_counter() - wall), "cpu_ms": cost}
    return found


@contextmanager
def process(words: list[str], port: int) -> Iterator[int]:
    """Within the block a server runs on `port`; gives its process id."""
    child = subprocess.Popen([sys.executable, *words])
    try:
        for _ in range(3000):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise SystemExit(f"the server on port {port} did not start in five minutes")
        yield child.pid
    finally:
        child.terminate()
        child.wait(120)


def serving(run: str, port: int) -> AbstractContextManager[int]:
    """Return the context of `wgan serve` in one thread."""
    return process(["-m", "wgan", "serve", run, "--port", str(port), "--threads", "1"], port)


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def load(pid: int, port: int, n: int, form: str, clients: int, seconds: float) -> dict[str, Any]:
    """Return what wrk measures with that many clients who ask for n samples, each as soon as it was answered."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.replace("N,", f"{n},").replace("FORMAT)", f'"{form}")'))
        script.flush()
        before = cpu_seconds(pid)
        length = f"-d{max(1, round(seconds))}s"
        words = ["wrk", "-t1", f"-c{clients}", length, "--timeout", "60s", "--latency", "-s", script.name]
        done = subprocess.run([*words, f"http://127.0.0.1:{port}/sample"], capture_output=True, text=True, check=True)
        used = cpu_seconds(pid) - before
    answered = int(re.search(r"(\d+) requests in", done.stdout)[1])
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout)
    return {
        "requests": answered,
        "failed": int(failed[1]) if failed else 0,
        "per_second": rate,
        "p99_ms": float(p99[1]) * {"us": 1e-3, "ms": 1, "s": 1e3}[p99[2]],
        "cpu_ms": 1000 * used / max(1, answered),
    }


def speed(run: str, seconds: float, rounds: int) -> dict[str, Any]:
    """Return medians of `rounds` rounds of the bare generator, the empty server and `wgan serve`."""
    found: list[dict[str, Any]] = []
    with process(["-c", EMPTY, "8791"], 8791) as empty, serving(run, 8792) as pid:
        load(pid, 8792, 1, "png", 64, 2)  # to warm up
        for _ in range(rounds):
            one: dict[str, Any] = {f"bare, batch {batch}": row for batch, row in bare(run).items()}
            for clients in (1, 64):
                one[f"empty server, {clients} clients"] = load(empty, 8791, 1, "png", clients, 2)
            for n, form, clients in LOADS:
                one[f"n = {n}, {form}, {clients} clients"] = load(
                    pid, 8792, n, form, clients, seconds * (3 if n > 1 else 1)
                )
            found.append(one)
            print(json.dumps(one), file=sys.stderr)
    return {name: {key: median(found, name, key) for key in row} for name, row in found[0].items()}


def median(found: list[dict[str, Any]], name: str, key: str) -> float:
    """Return the median of one value over all rounds, to four digits."""
    return float(f"{statistics.median(one[name][key] for one in found):.4g}")


def shown(found: dict[str, Any]) -> str:
    """Return the results of `speed` as a table, with ratios to the bare generator by time and by processor time."""
    lines = [HEAD, "|---|---|---|---|---|---|"]
    for name, value in found.items():
        about = f"{name} | {value['per_second']:g} | {value['cpu_ms']:g} | {value.get('p99_ms', '')}"
        match = re.match(r"n = (\d+)", name)
        ratios = " | ".join(ratios_of(value, int(match[1]), found)) if match else "|"
        lines.append(f"| {about} | {ratios} |")
    return "\n".join(lines)


def ratios_of(value: dict[str, float], n: int, found: dict[str, Any]) -> list[str]:
    """Return how near a load comes to the bare generator with the same batch, and with 100 rows at once: by both times."""
    same, full = found[f"bare, batch {n}"], found["bare, batch 100"]
    pairs = [
        (value["per_second"] / same["per_second"], same["cpu_ms"] / value["cpu_ms"]),
        (value["per_second"] * n / (100 * full["per_second"]), full["cpu_ms"] * n / 100 / value["cpu_ms"]),
    ]
    return [f"{wall:.0%}, {processor:.0%} by processor time" for wall, processor in pairs]


def memory(run: str, minutes: float) -> dict[str, Any]:
    """Return the resident memory of the server in MB at the start and at the end of each twentieth of `minutes` of requests."""
    found = []
    with serving(run, 8793) as pid:
        load(pid, 8793, 1, "png", 64, 5)
        load(pid, 8793, 64, "npz", 16, 5)
        found.append(resident(pid))
        for turn in range(20):
            n, form, clients = [(1, "png", 64), (64, "npz", 16), (1, "json", 32), (64, "png", 8)][turn % 4]
            done = load(pid, 8793, n, form, clients, minutes * 60 / 20)
            found.append(resident(pid))
            print(f"{found[-1]:.1f} MB, {done}", file=sys.stderr)
    return {"minutes": minutes, "resident_mb": found}


def resident(pid: int) -> float:
    """Return the memory of a process in MB."""
    return round(int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024, 1)


def page(run: str, rounds: int = 7) -> dict[str, Any]:
    """Return the median seconds of the exported page's generator in Node: 64 samples, and one."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "page.html"
        words = [sys.executable, "-m", "wgan", "export", run, "--to", "page", "--out", str(out)]
        subprocess.run(words, check=True, capture_output=True)
        script = HERE / "serving_page.mjs"
        done = subprocess.run(["node", str(script), str(out), str(rounds)], check=True, capture_output=True, text=True)
        return {**json.loads(done.stdout), "page_mb": round(out.stat().st_size / 1e6, 2)}


def main() -> None:
    """Measure one part, write it and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--only", choices=("speed", "memory", "page"), default="speed")
    parser.add_argument("--seconds", type=float, default=8, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=10, help="of the memory test")
    parser.add_argument("--note", default="", help="what else the machine did")
    parser.add_argument("--name", help="of the entry in the results; by default the part's")
    found = parser.parse_args()
    if found.only == "speed":
        result: dict[str, Any] = speed(found.run, found.seconds, found.rounds)
        print(shown(result))
    else:
        result = memory(found.run, found.minutes) if found.only == "memory" else page(found.run)
        print(json.dumps(result))
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    about = {"date": str(date.today()), "python": platform.python_version(), "note": found.note}
    RESULTS.write_text(json.dumps({**known, found.name or found.only: {**about, "result": result}}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Write the tables of docs/lab/speed.md and benchmarks/SPEED.md from results/: speed.py, profiles.py, no_slower.py.

Usage: python benchmarks/speed_page.py   (after `python benchmarks/speed.py`, `profiles.py` or `no_slower.py`)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGES = {  # and the tables of each
    HERE.parent / "docs" / "lab" / "speed.md": ("published", "rest"),
    HERE / "SPEED.md": ("fraction", "growth", "no slower", "profiles"),
}
TARGETS = {"S0": "4", "S1": "2.5", "S2": "5", "S3": "3.5", "S4": "2.5"}
PROCESSORS = {"AVX-512": "speed", "AMX": "speed-amx", "held to AVX2": "speed-avx2"}  # short name -> file in results/
MLPS = ("mlp-clip", "small-mlp-clip", "small-mlp-gp", "gulrajani-ring")


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    heads = [*heads]
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def under(part: dict[str, Any]) -> str:
    """Return the line that says when, on what and by which command a part was measured (or its last rows were)."""
    return f"{part['date']}, {part['machine']}, torch {part['versions']['torch']}: `{part['command']}`"


def fraction(parts: dict[str, dict[str, Any]]) -> str:
    """Return ms a step, the share of the peak and the ratio to `--no-fast` on each processor, by recipe."""
    rows = [
        (
            f"`{name}`",
            f"{45 if name in MLPS else 60} %",
            *(
                f"{1e3 * part['result'][name]['seconds']:.3g} ({part['result'][name]['precision']})"
                for part in parts.values()
            ),
            *(f"**{part['result'][name]['fraction']:.0%}**" for part in parts.values()),
            *(f"{part['result'][name]['times_the_plain_way']:.2f}" for part in parts.values()),
        )
        for name in sorted(next(iter(parts.values()))["result"])
    ]
    heads = [
        f"{head}, {where}" if i == 0 else where
        for head in ("ms a step", "of the peak", "times `--no-fast`")
        for i, where in enumerate(parts)
    ]
    return f"{table(('recipe', 'target', *heads), rows)}\n\n{peaks(parts)}\n\n{measured_on(parts)}"


def peaks(parts: dict[str, dict[str, Any]]) -> str:
    """Return the peak of each processor in each precision, as the rows found it."""
    found = []
    for where, part in parts.items():
        rows = part["result"].values()
        each = {
            p: [r["peak"] / 1e9 for r in rows if r["precision"] == p] for p in sorted({r["precision"] for r in rows})
        }
        found.append(f"{where} " + " and ".join(f"{min(v):,.0f} to {max(v):,.0f} in {p}" for p, v in each.items()))
    return f"Peaks, GFLOP/s: {'; '.join(found)}."


def published(parts: dict[str, dict[str, Any]]) -> str:
    """Return the ratios against the published programs on each processor."""
    rows = [
        (
            system,
            f"`{row['recipe']}`",
            TARGETS[system],
            *(
                text
                for part in parts.values()
                for each in [part["result"][system]]
                for text in (
                    f"{each['seconds_per_step']['published']:.3g}, {each['seconds_per_step']['wgan']:.3g}",
                    f"**{each['ratio']:.2f}**",
                )
            ),
        )
        for system, row in sorted(next(iter(parts.values()))["result"].items())
    ]
    heads = [text for where in parts for text in (f"s a step, {where}", "ratio")]
    return f"{table(('system', 'recipe', 'target', *heads), rows)}\n\n{measured_on(parts)}"


def measured_on(parts: dict[str, dict[str, Any]]) -> str:
    """Return a line for each processor: when, on what and by which command its rows, or the last of them, were measured."""
    lines = [f"- {where}: {under(part)}" for where, part in parts.items()]
    return "\n".join([*lines, "", "Each command is the last of several, for some of the rows."])


def rest(report: dict[str, Any]) -> str:
    """Return penalty, start and duties in one table."""
    start, duties = report["start"]["result"], report["duties"]["result"]
    rows = [
        *(
            (f"a step of `{name}` with the penalty over one without", f"{r['ratio']:.2f} times", "2")
            for name, r in report["penalty"]["result"].items()
        ),
        (
            f"{duties['steps']} steps of `mnist` with log, sample grids, evaluations and checkpoints over the same without",
            f"+{duties['share']:.1%}",
            "5 %",
        ),
        ("`wgan --help`", f"{start['help_seconds']:.2f} s", "0.3 s"),
        ("from typing `wgan train` to the first line of the log", f"{start['first_step_seconds']:.1f} s", "5 s"),
        ("peak memory of the default run", f"{start['peak_mib']:.0f} MiB", "1,536 MiB"),
    ]
    commands = " ".join(
        report[name]["command"].split("--only ")[1].split()[0] for name in ("penalty", "start", "duties")
    )
    return f"{table(('what', 'measured', 'target'), rows)}\n\n`python benchmarks/speed.py --only {commands}`"


def growth(part: dict[str, Any]) -> str:
    """Return step times against batch, channels, side and number of images."""
    r = part["result"]

    def line(name: str, values: dict[str, Any], text: str) -> tuple[str, str]:
        seconds = {k: v["seconds"] if isinstance(v, dict) else v for k, v in values.items()}
        return name, ", ".join(text.format(int(k) if k.isdigit() else k, 1e3 * s) for k, s in seconds.items())

    rows = [
        line("batch (`mnist`)", r["batch"], "{}: {:.0f}"),
        line("channels, times `mnist`'s", r["channels"], "{}: {:.0f}"),
        line("side in pixels (`images`)", r["side"], "{}: {:.0f}"),
        line("images in the data, 28 × 28 (`images`)", r["images"], "{:,}: {:.0f}"),
    ]
    return f"{table(('against', 'ms a step'), rows)}\n\n{under(part)}"


def profiles(report: dict[str, Any]) -> str:
    """Return ms a step by kind of work, the plain ways' in front of the fast ones'."""
    kinds = [*next(iter(report["recipes"].values()))["fast"]["ms_by_kind"]]
    rows = [
        (
            f"`{name}`",
            f"{r['plain']['ms']:.3g} → {r['fast']['ms']:.3g}",
            *(f"{r['plain']['ms_by_kind'][k]:.3g} → {r['fast']['ms_by_kind'][k]:.3g}" for k in kinds),
        )
        for name, r in report["recipes"].items()
    ]
    return f"{table(('recipe', 'ms a step', *kinds), rows)}\n\n{under(report)}"


def no_slower(report: dict[str, Any]) -> str:
    """Return ms a step, the ratio to `--no-fast` and the fraction of the peak, with all instructions and with AVX2."""
    sides = [report[name]["result"] for name in ("all instructions", "AVX2")]
    rows = [
        (
            f"`{name}`{''.join(f', {key} {value}' for key, value in row['options'].items())}",
            *(f"{1e3 * side[name]['seconds']:.3g}" for side in sides),
            *(f"**{side[name]['times_the_plain_way']:.2f}**" for side in sides),
            *(f"{side[name]['fraction']:.0%}" for side in sides),
        )
        for name, row in sides[0].items()
    ]
    two = ("all instructions", "AVX2")
    heads = (
        "recipe",
        *(f"ms, {w}" for w in two),
        *(f"times `--no-fast`, {w}" for w in two),
        *(f"of the peak, {w}" for w in two),
    )
    return f"{table(heads, rows)}\n\n{under(report[two[0]])}"


def page(file: Path, each: dict[str, dict[str, Any]], profiled: dict[str, Any], slower: dict[str, Any]) -> str:
    """Return the text of a page with each of its tables between its marks; each: processor -> what speed.py found on it."""
    report = next(iter(each.values()))
    tables = {
        "no slower": no_slower(slower),
        "fraction": fraction({where: found["fraction"] for where, found in each.items()}),
        "published": published({where: found["published"] for where, found in each.items()}),
        "rest": rest(report),
        "growth": growth(report["growth"]),
        "profiles": profiles(profiled),
    }
    text = file.read_text()
    for name in PAGES[file]:
        first, last = f"<!-- {name}: written by benchmarks/speed_page.py -->", f"<!-- end of {name} -->"
        block = re.compile(f"{re.escape(first)}.*?{re.escape(last)}", re.DOTALL)
        if not block.search(text):
            raise SystemExit(f"{file.name} lacks {first} ... {last}")
        text = block.sub(lambda _, whole=f"{first}\n\n{tables[name]}\n\n{last}": whole, text)  # type: ignore[misc]
    return text


def results() -> list[dict[str, Any]]:
    """Return the committed figures: of speed.py by processor, of profiles.py, of no_slower.py."""

    def read(name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((HERE / "results" / f"{name}.json").read_text())
        return found

    return [{where: read(name) for where, name in PROCESSORS.items()}, read("profiles"), read("no_slower")]


if __name__ == "__main__":
    for file in PAGES:
        file.write_text(page(file, *results()))

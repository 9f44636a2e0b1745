"""The tables of docs/lab/convergence.md that a study fills, and keeping its raw values: benchmarks/results/study-NAME.json.

Usage: python tools/study_tables.py keep DIR NAME "COMMAND"     DIR/compare.json -> benchmarks/results/study-NAME.json
`python tools/compare_page.py page` writes the page from it.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recipe_page import processor

from wgan.compare.study.page import cautions, interval_text, limits
from wgan.compare.study.page import table as judged_table
from wgan.compare.study.verdicts import draws_of

Study = Mapping[str, Any]
RESULTS = Path(__file__).parent.parent / "benchmarks/results"
ROWS = ("search", "confirm", "gradients")  # one line of the file for each of theirs
KEPT = 6  # significant digits: a verdict follows from the raw values, and a test repeats it


def keep(folder: Path, name: str, command: str) -> None:
    """Copy the raw values of a study and what follows from them, with date, machine and command."""
    result = json.loads((folder / "compare.json").read_text())
    about = {"date": datetime.date.today().isoformat(), "machine": processor(), "command": command}
    lines = [f"{json.dumps(k)}: {json.dumps(rounded(v))}" for k, v in {**about, **result}.items() if k not in ROWS]
    for part in ROWS:
        rows = ",\n".join(f"  {json.dumps(rounded(row))}" for row in result[part])
        lines.append(f'"{part}": [\n{rows}\n]')
    (RESULTS / f"study-{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def rounded(value: Any, digits: int = KEPT) -> Any:
    """Return the same with so many significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {k: rounded(v, digits) for k, v in value.items()}
    return [rounded(v, digits) for v in value] if isinstance(value, list) else value


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, ["---"] * len(heads), *rows])


def evidence(verdict: Mapping[str, Any]) -> str:
    """Return an effect with its interval and n, or that there is none."""
    effect = verdict["effect"]
    return f"{interval_text(effect)}, n = {effect['n']}" if effect else "no pair"


def sentences(study: Study) -> str:
    """Return each published sentence with its verdict and what it rests on; those that no run tests come last."""
    found = []
    told = {name: f"; {text}" if text else "" for name, text in cautions(study).items()}
    order = ("supported", "contradicted", "undecided", "not tested")
    for s in sorted(study["sentences"], key=lambda s: order.index(s["verdict"])):
        needs = [study["verdicts"][name] for name in s["needs"]]
        rests = "; ".join(f"{v['unit']}: {evidence(v)}{told[v['name']]}" for v in needs) or s["why"]
        found.append([s["text"], s["source"], f"**{s['verdict']}**", rests])
    return table(["published sentence", "by", "verdict", "effect with its 95 % interval"], found)


def hypotheses(study: Study) -> str:
    """Return each hypothesis: what was compared, its unit, effect, p-value after Holm and verdict."""
    found = []
    for name, v in study["verdicts"].items():
        sides = f"{v['arm']} against {v['against']}" if v["against"] else v["arm"]
        found.append([f"`{name}`", sides, v["task"], v["unit"], evidence(v), f"{v['adjusted']:.3g}", v["verdict"]])
    return table(["hypothesis", "arms", "data", "what is measured", "effect", "p", "verdict"], found)


def qualities(study: Study, task: str) -> str:
    """Return judge -> each arm's mean over the confirmed seeds with its interval, beside noise and real samples."""
    made = judged_table(study, task)
    rows = [
        [judge, *cells.values(), f"{made['beside']['noise'][judge]:.3g}", f"{made['beside']['real'][judge]:.3g}"]
        for judge, cells in made["cells"].items()
    ]
    return table([task, *made["arms"], "noise", "real"], rows)


def reached(study: Study) -> str:
    """Return how many draws of each arm end at or below the threshold of each task, and the best and the median of them."""
    rows = []
    for task, about in study["tasks"].items():
        for arm in study["design"]["arms"]:
            values = sorted(draws_of(task, arm, study).values())
            good = sum(v <= about["threshold"] for v in values)
            middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
            rows.append([task, arm, f"{good} of {len(values)}", f"{values[0]:.3g}", f"{middle:.3g}"])
    return table(["data", "arm", "settings that learned", "best", "median"], rows)


def chosen(study: Study) -> str:
    """Return the setting that the search chose for each arm, and how many steps its budget gives."""
    names = [*study["design"]["space"]]
    rows = []
    for task in study["tasks"]:
        for arm in study["design"]["arms"]:
            row = next(r for r in study["confirm"] if (r["task"], r["arm"]) == (task, arm))
            rows.append([task, arm, f"{row['steps']:,}", *(text_of(row["setting"][n]) for n in names)])
    return table(["data", "arm", "steps", *(f"`{n}`" for n in names)], rows)


def text_of(value: Any) -> str:
    """Return a value of a setting in three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def flop(study: Study, task: str) -> str:
    """Return the work of a run, TFLOP."""
    return f"{study['tasks'][task]['flop'] / 1e12:g}"


def stand(study: Study) -> str:
    """Return what these runs cannot say, as sentences."""
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in limits(study))


TABLES = {
    "st_sentences": sentences,
    "st_hypotheses": hypotheses,
    "st_qualities": qualities,
    "st_reached": reached,
    "st_chosen": chosen,
    "flop": flop,
    "stand": stand,
}


def main() -> None:
    """Keep the study that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["keep"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("command")
    found = parser.parse_args()
    keep(found.folder, found.name, found.command)


if __name__ == "__main__":
    main()

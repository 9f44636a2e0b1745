"""`wgan report`: run folders as one HTML file that needs nothing else: no network, no other file, no torch to make it."""

from __future__ import annotations

import argparse
import base64
import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wgan.config import FIELDS, Config
from wgan.config.objectives import facts_about
from wgan.errors import WganError
from wgan.evaluation.metrics_table import PROMINENT, VALUES
from wgan.files import replace_file
from wgan.recipes import RECIPES
from wgan.report.charts import AXES, charts_of, short_number
from wgan.report.encoder import EncoderShown, encoder_of
from wgan.report.images import BUDGET, PARTS, RunImages, run_images
from wgan.report.reader import RunRecord, changed_options, gather, names_of, repeat_command
from wgan.runs.log import SELECTION

if TYPE_CHECKING:  # imported where a page is made: importing this file costs nothing
    from jinja2 import Environment

MANY = 24  # runs on one page; more would be seen by nobody
SELECTED = {
    "evaluate/fid_lenet": "fid-lenet",
    "evaluate/w1": "exact W1",
    "evaluate/random_fid": "random-relative-fid",
    "evaluate/sliced_w1": "sliced W1",
}


@dataclass(frozen=True)
class Shown:
    """One run on the page."""

    found: RunRecord
    pictures: RunImages
    command: str
    bits: str  # what to add to the command for the same bits elsewhere
    encoder: EncoderShown | None


def command(found: argparse.Namespace) -> int:
    """`wgan report`: write the page and say where it is."""
    paths = [Path(p) for p in found.paths]
    folder = paths[0] if len(paths) == 1 else Path()
    out = Path(found.out) if found.out else folder / "report.html"
    notes = write_report(paths, out)
    print(f"report of {len(paths)} {'runs' if len(paths) > 1 else 'run'} in {out} ({out.stat().st_size / 1e6:.1f} MB)")
    for note in notes:
        print(f"note: {note}")
    return 0


def write_report(paths: Sequence[Path], out: Path) -> list[str]:
    """Write the page of some run folders to `out`; return what had to be left out, a sentence each.

    The same folders give the same bytes. Raises WganError for a folder that is not a run, or an `out` that cannot be written.
    """
    if not 1 <= len(paths) <= MANY:
        raise WganError(f"a report shows 1 to {MANY} runs, not {len(paths)}: make several reports")
    if out.suffix.lower() not in (".html", ".htm") or out.is_dir():
        raise WganError(f"--out {out}: give a .html file")
    runs = [run_section(path, name, BUDGET / len(paths)) for path, name in zip(paths, names_of(paths), strict=True)]
    if not out.parent.is_dir():
        raise WganError(f"the folder {out.parent} does not exist: create it or give another --out")
    page = render(runs)
    replace_file(out, lambda file: file.write(page.encode("utf-8", "replace")))
    return [f"{run.found.name}: {note}" if len(runs) > 1 else note for run in runs for note in run.found.notes]


def run_section(path: Path, name: str, budget: float) -> Shown:
    """Read one run folder, its pictures within `budget` bytes."""
    found = gather(path, name)
    pictures = run_images(found, budget)
    if pictures.grids:
        found.step = max(found.step, pictures.grids[-1].step)
    facts = found.facts
    resolved = [
        f"--{k} {shlex.quote(str(facts[k]))}"
        for k, auto in (("threads", None), ("precision", "auto"))
        if k in facts and getattr(found.config, k) == auto
    ]
    encoder = encoder_of(found, budget * PARTS["encoder"])
    return Shown(found, pictures, repeat_command(found.config, name.rpartition("/")[2]), " ".join(resolved), encoder)


def environment_of() -> tuple[Environment, str, str]:
    """Return the templates, which escape every text, and the script and the style that go into a page as they are."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("wgan.report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(short=short_number, value=value_text, clock=clock, sha256=sha256)
    script, style = (loader.get_source(environment, f"report.{kind}")[0] for kind in ("js", "css"))
    return environment, script, style


def sha256(script: str) -> str:
    """Return what a page's policy calls a script that it allows."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def render(runs: Sequence[Shown]) -> str:
    """Return the page. Every text is escaped by the template, and the page's own policy forbids all but its own script."""
    environment, script, style = environment_of()
    return environment.get_template("report.html").render(
        runs=runs,
        charts=charts_of(
            {run.found.name: run.found.curves for run in runs},
            {run.found.name: run.found.config.objective for run in runs},
        ),
        axes=AXES,
        facts=facts_table([run.found for run in runs]),
        options=options_table([run.found for run in runs]),
        results=[(run.found, result) for run in runs for result in run.found.results],
        metrics=metric_rows([result for run in runs for result in run.found.results], one_data(runs)),
        one_data=one_data(runs),
        tiles=tiles(runs[0].found) if len(runs) == 1 else [],
        machine=machine(runs[0].found.facts),
        explained={name: value.title for name, value in VALUES.items()},
        script=script,
        style=style,
        grids=[[{"step": p.step, "uri": p.uri} for p in run.pictures.grids] for run in runs],
        classes=[classes(run.found) for run in runs],
    )


def value_text(value: float | None, spread: float | None = None) -> str:
    """Return 12.3 ± 0.4, without the second part when it is not known."""
    if value is None:
        return ""
    return short_number(value) if spread is None else f"{short_number(value)} ± {spread:.2g}"


def clock(seconds: float) -> str:
    """Return a duration in words: 45 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def tiles(found: RunRecord) -> list[dict[str, str]]:
    """Return up to four metrics that say most: those of `wgan evaluate` with their references, or of the last evaluation."""
    first = found.results[0]["figures"] if found.results else []
    by_name = {f["name"]: f for f in first}
    chosen = [
        {
            "name": name,
            "value": value_text(by_name[name]["value"]),
            "under": "" if by_name[name]["floor"] is None else f"real data: {value_text(by_name[name]['floor'])}",
            "about": VALUES[name].title,
        }
        for name in PROMINENT
        if name in by_name
    ]
    if not chosen and (last := found.last(SELECTION)) is not None:
        name = next((n for t, n in SELECTED.items() if t in found.curves), "selection")
        chosen = [
            {
                "name": name,
                "value": short_number(last),
                "under": "at the last evaluation, lower is better",
                "about": "on a small sample: the metric by which the best step is chosen",
            }
        ]
    return chosen[:4]


def one_data(runs: Sequence[Shown]) -> bool:
    """Return whether all runs were measured on the same data, without which no value is better than another."""
    measured = [run.found for run in runs if run.found.results]
    return len({(one.about.get("data", one.config.data), one.about.get("split", "")) for one in measured}) < 2


def metric_rows(
    results: Sequence[Mapping[str, Any]], comparable: bool = True
) -> list[tuple[str, list[dict[str, Any] | None], int | None]]:
    """Return (name, its value in each result or None, number of the best result) for each metric of any result.

    comparable: whether a best one is named.
    """
    tables = [{f["name"]: f for f in result["figures"]} for result in results]
    names = list(dict.fromkeys(name for table in tables for name in table))
    rows = []
    for name in names:
        cells = [table.get(name) for table in tables]
        rows.append((name, cells, best_of(cells) if comparable else None))
    return rows


def best_of(cells: Sequence[Mapping[str, Any] | None]) -> int | None:
    """Return the number of the best value among several of one name; None without a best one."""
    known = [(cell["value"], i) for i, cell in enumerate(cells) if cell]
    better = next((cell["better"] for cell in cells if cell), "")
    if len(known) < 2 or better not in ("lower", "higher"):
        return None
    return (min if better == "lower" else max)(known, key=lambda pair: pair[0])[1]


def classes(found: RunRecord) -> list[tuple[str, float, float]]:
    """Return (class, its fraction of the samples, the same over that of the most frequent) at the last evaluation."""
    prefix = "evaluate/share_"
    tags = sorted(tag for tag in found.curves if tag.startswith(prefix))
    fractions = {tag.removeprefix(prefix): v for tag in tags if (v := found.last(tag)) is not None}
    most = max(fractions.values(), default=0.0)
    return [(name, part, part / most) for name, part in fractions.items()] if most > 0 else []


def facts_table(runs: Sequence[RunRecord]) -> list[tuple[str, list[str], bool]]:
    """Return (what, its text for each run, whether the runs differ in it) for what was trained."""
    columns = [facts_of(run) for run in runs]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [(name, [column.get(name, "") for column in columns]) for name in names]
    return [(name, texts, len(set(texts)) > 1) for name, texts in rows]


def facts_of(run: RunRecord) -> dict[str, str]:
    """Return what was trained, how and with what, in words."""
    c, facts = run.config, run.facts
    known = RECIPES.get(c.recipe)
    classes = facts.get("classes")
    use = "conditional" if run.class_names else "not used by the generator"
    labels = f"{classes} classes, {use}" if classes else ""
    return {
        "recipe": f"{c.recipe}: {known.source}" if known else c.recipe,
        "data": joined(f"{c.data}, {c.split} split", facts.get("shape"), labels),
        "objective": objective_text(c, bool(classes)),
        "generator": network(c.generator, c.generator_layers, c.generator_norm, run.parameters.get("generator")),
        "critic": network(c.critic, c.critic_layers, c.critic_norm, run.parameters.get("critic")),
        "optimizer": optimizer(c),
        "updates": f"{run.step} of {c.steps} steps, {schedule(c)}, batch {c.batch}",
        "seed": str(c.seed),
        "time": clock(run.seconds) if run.seconds else "",
        "machine": machine(facts),
        "versions": joined(*(f"{k} {v}" for k, v in facts.get("versions", {}).items())),
    }


def machine(facts: Mapping[str, Any]) -> str:
    """Return what computed: cpu, fp32, 2 threads."""
    count = facts.get("threads", "")
    threads = "1 thread" if count == "1" else f"{count} threads"
    return joined(facts.get("device"), facts.get("precision"), threads if count else "")


def joined(*parts: Any) -> str:
    """Return the parts that are not empty, with commas."""
    return ", ".join(str(p) for p in parts if p)


def objective_text(c: Config, labelled: bool) -> str:
    """Return the objective with the number that matters to it; without labels there is no auxiliary classifier."""
    number = f"weights within ±{c.clip:g}" if facts_about(c.objective).clips else ""
    number = f"penalty weight {c.penalty:g}" if facts_about(c.objective).penalised else number
    classes = (
        f"auxiliary classifier {c.class_critic:g} / {c.class_generator:g}"
        if labelled and (c.class_critic or c.class_generator)
        else ""
    )
    return joined(c.objective, number, classes)


def network(family: str, layers: str, norm: str, parameters: int | None) -> str:
    """Return a network in one line."""
    size = f"{parameters:,} parameters" if parameters else ""
    return joined(f"{family}  {layers}", f"{norm} norm" if norm != "none" else "no norm", size)


def optimizer(c: Config) -> str:
    """Return the optimizer with its rates."""
    betas = f"betas {c.beta1:g} {c.beta2:g}" if c.optimizer == "adam" else ""
    rates = f"lr {c.lr:g}" + (f" (critic {c.critic_lr:g})" if c.critic_lr and c.critic_lr != c.lr else "")
    decay = f"{c.lr_decay} decay" if c.lr_decay != "none" else ""
    return joined(c.optimizer, rates, betas, decay, f"averaged with {c.ema:g}" if c.ema else "")


def schedule(c: Config) -> str:
    """Return how often the critic is updated."""
    often = f"{c.n_critic} critic {'updates' if c.n_critic > 1 else 'update'} each"
    return often if c.critic_schedule == "constant" else f"{often}, schedule {c.critic_schedule}"


def options_table(runs: Sequence[RunRecord]) -> list[tuple[str, list[tuple[str, bool]], str, bool]]:
    """Return (option, (value, whether it is not the recipe's) for each run, help, whether the runs differ) for all options."""
    moved = [set(changed_options(run.config)) for run in runs]
    rows = []
    for name, f in FIELDS.items():
        values = [(f.word(getattr(run.config, name)), name in m) for run, m in zip(runs, moved, strict=True)]
        rows.append((name, values, f.help, len({v for v, _ in values}) > 1))
    return rows

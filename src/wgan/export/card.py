"""The model card: what a README.md on the hub says of a model, from its run folder."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wgan.data import source
from wgan.data.conditions import Condition
from wgan.data.licences import licence_of
from wgan.data.own.open import public_name
from wgan.errors import WganError
from wgan.evaluation.shown import beside
from wgan.recipes import RECIPES
from wgan.report.page import sha256
from wgan.report.reader import LeftOut, RunRecord, read_metrics, repeat_command
from wgan.runs.folder import Run
from wgan.sampling.model import Model

if TYPE_CHECKING:
    from jinja2 import Environment

UNKNOWN = "The licence of the training data was not given: --licence states it, before the model is published."
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}")


@dataclass(frozen=True)
class Card:
    """What the card and the page say of a model, as plain text."""

    name: str
    kind: str  # images | rows | points
    what: str  # one sentence
    recipe: str
    command: str
    facts: list[tuple[str, str]]
    metrics: list[dict[str, str]]
    reference: str  # what the metrics were measured on
    limits: list[str]
    licence: str  # identifier on the hub; "" = not known
    licence_about: str


def card_of(model: Model, name: str, licence: str | None = None) -> Card:
    """Return the card of a model, called `name`. licence: of the data, None = as bundled data have it.

    Raises WganError for a licence that is not text of one line.
    """
    run = model.run
    evidence = measured(run, model.step)
    results = evidence.results[0] if evidence.results else None
    known = RECIPES.get(run.config.recipe)
    identifier, about = licence_text(run.config.data, licence)
    return Card(
        name=name,
        kind=kind_of(model),
        what=sentence(model),
        recipe=f"{run.config.recipe}: {known.source}" if known else run.config.recipe,
        command=command_of(run),
        facts=facts_of(model),
        metrics=[metric_row(f) for f in results["figures"]] if results else [],
        reference=reference_of(evidence),
        limits=limits_of(model, bool(results)),
        licence=identifier,
        licence_about=about,
    )


def kind_of(model: Model) -> str:
    """Return what the samples are: images, signals, volumes, rows of a table, or points."""
    if len(model.run.facts.shape) > 1:
        return source.kind_of(model.run.facts.shape)
    return "points" if model.units is None and model.table is None else "rows"


def column_names(model: Model) -> list[str]:
    """Return the names of the columns of a table; empty where they have none, and for other data."""
    if model.table is not None:
        return model.table.names
    if model.signal is not None:
        return list(model.signal.names)
    return list(model.units.names) if model.units else []


def sentence(model: Model) -> str:
    """Return what the model makes, in one sentence."""
    facts, names = model.run.facts, model.class_names
    colours = {1: "grey ", 3: "colour "}
    count = len(column_names(model)) or len(model.units.mean if model.units else ())
    sizes = {
        "images": f"{colours.get(facts.shape[0], '')}images of {' × '.join(map(str, facts.shape[1:]))} pixels",
        "rows": f"rows of a table with {count} columns",
        "signals": f"signals of {facts.shape[0]} channel{'s' * (facts.shape[0] > 1)} and {facts.shape[-1]} steps",
        "volumes": f"volumes of {' × '.join(map(str, facts.shape[1:]))} voxels",
        "points": f"vectors of {facts.shape[0]} numbers",
    }
    by = f", by class ({len(names)} classes)" if names else ""
    if model.conditions is not None:
        by = f", for given {', '.join(model.conditions.names)}"
    return f"A Wasserstein GAN generator that makes {sizes[kind_of(model)]}{by}, trained on {public_name(model.run.config.data)}."


def facts_of(model: Model) -> list[tuple[str, str]]:
    """Return what was trained, how far and with which versions."""
    c, facts = model.run.config, model.run.facts
    count = sum(p.numel() for p in model.network.parameters())
    kind = "averaged" if model.weights == "average" else "raw"
    rows = [
        ("data", f"{public_name(c.data)}, {c.split} split"),
        ("objective", c.objective),
        ("generator", f"{c.generator} {c.generator_layers}, {c.generator_norm} norm, {count:,} numbers"),
        ("latent", f"{c.latent} numbers from N(0, 1)"),
        ("step", f"{model.step} of {c.steps}, seed {c.seed}, {kind} weights"),
        ("classes", ", ".join(model.class_names[:50]) + " ..." * (len(model.class_names) > 50)),
        ("conditions", "; ".join(f"{c.name}: {c.describe()}" for c in conditions_of(model))),
        ("columns", ", ".join(column_names(model))),
        ("precision", facts.precision),
        ("versions", ", ".join(f"{k} {v}" for k, v in facts.versions.items())),
    ]
    return [(name, text) for name, text in rows if text]


def conditions_of(model: Model) -> tuple[Condition, ...]:
    """Return the conditions that samples are made for; none of other models."""
    return () if model.conditions is None else model.conditions.columns


def example_of(model: Model) -> dict[str, Any]:
    """Return each condition with a value that training samples have: their mean, or the first level that was trained."""
    return {c.name: c.example for c in conditions_of(model)}


def command_of(run: Run) -> str:
    """Return the command that makes the same run from the same data, under their public name."""
    return repeat_command(run.config.replace(data=public_name(run.config.data)), public_name(run.path.resolve().name))


def measured(run: Run, step: int) -> RunRecord:
    """Return what metrics.json says of the checkpoint at `step`; nothing where it was not measured or is damaged."""
    found = RunRecord(run.path, run.path.name, run.config)
    try:
        read_metrics(found)
    except (LeftOut, OSError):
        return RunRecord(run.path, run.path.name, run.config)
    found.results = [result for result in found.results if result["step"] == step]
    return found


def metric_row(metric: dict[str, Any]) -> dict[str, str]:
    """Return one metric as texts: its value, real against real, which way is better, what it was computed in."""
    numbers = {key: beside(metric[key]) for key in ("value", "floor")}
    return {**numbers, **{key: metric[key] for key in ("name", "better", "extractor")}}


def reference_of(evidence: RunRecord) -> str:
    """Return what the metrics were measured on."""
    about = evidence.about
    parts = [
        public_name(about["data"]) if about.get("data") else "",
        f"split {about['split']}" if about.get("split") else "",
        f"{about['n_real']} real samples" if about.get("n_real") else "",
    ]
    return ", ".join(part for part in parts if part)


def limits_of(model: Model, is_measured: bool) -> list[str]:
    """Return what a reader must not expect of the model."""
    rows = ["It makes what its training data show, with their gaps and their bias, and nothing else."]
    if not is_measured:
        rows.append("It was not measured: no metrics.json of this checkpoint was in its run folder.")
    if model.step < model.run.config.steps:
        rows.append(f"Its training was not finished: step {model.step} of {model.run.config.steps}.")
    if model.conditions is not None:
        rows.append(
            f"Its config.json holds the conditions of {len(model.conditions.rows)} training samples, which samples are made "
            "for where nothing is given: look at them before you publish it."
        )
    if kind_of(model) == "rows":
        rows.append(
            "Rows of a table may repeat what single people or things had in the training data: they are not anonymous by "
            "themselves, and wgan evaluate measures copies."
        )
    return rows


def licence_text(data: str, given: str | None) -> tuple[str, str]:
    """Return the identifier of the data's licence on the hub, '' where it is not known, and a sentence."""
    known = licence_of(data)
    if given is None:
        return (known.identifier, known.about) if known else ("", UNKNOWN)
    text = given.strip()
    if not text or len(text) > 200 or not text.isprintable():
        raise WganError("--licence is the licence of the training data in one line, for example cc-by-4.0")
    return text, f"The training data are under {text}."


def templates() -> Environment:
    """Return the templates of this package, and those it shares with reports; only those of HTML escape by themselves."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape

    loaders = [PackageLoader("wgan.export"), PackageLoader("wgan.report")]  # the second holds the head of pages
    found = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters.update(plain=plain, quoted=quoted, sha256=sha256)
    return found


def plain(text: str) -> str:
    """Return text that Markdown and HTML show as it is, in one line."""
    line = html.escape(" ".join(str(text).split()), quote=False)
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", line)


def quoted(text: str) -> str:
    """Return text as YAML quotes it; JSON is YAML."""
    return json.dumps(text)


def card_text(card: Card, model: Model, files: dict[str, str]) -> str:
    """Return README.md: the card's front matter and its sections. files: names of the files it points to."""
    licence = card.licence
    return (
        templates()
        .get_template("card.md")
        .render(
            card=card,
            licence_id=licence if _IDENTIFIER.fullmatch(licence) else "other",
            licence_name="" if _IDENTIFIER.fullmatch(licence) else licence,
            tags=["wgan", "gan", "wasserstein-gan", "pytorch", "tabular" if card.kind == "rows" else card.kind],
            pipeline="unconditional-image-generation" if card.kind == "images" else "other",
            label=model.class_names[0] if model.class_names else None,
            given=repr(example_of(model)) if model.conditions is not None else None,
            **files,
        )
    )

"""The application of `wgan serve`: samples of one model over HTTP, the same for a seed as the command line's."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from wgan import __version__
from wgan.data.conditions import Condition
from wgan.data.source import kind_of
from wgan.errors import WganError
from wgan.export.card import Card, card_of, column_names, conditions_of, example_of, templates
from wgan.export.guard import Application, Guard, Message, Receive, Refused, Send
from wgan.export.page import render
from wgan.export.together import SharedModel, shared
from wgan.export.worker import Worker
from wgan.sampling.export import array_of, columns_of, csv_text, grid_bytes, npz_bytes
from wgan.sampling.model import Model, Samples

MOST = 1000  # samples of one request
FEW, NUMBERS = 25, 20_000  # samples, and numbers in them, of a request that needs no thread of its own
TYPES = {
    "png": "image/png",
    "npz": "application/octet-stream",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
}
Word = Annotated[str, Field(max_length=200)]
Name = Word | int
Value = Word | int | float


class Asked(BaseModel):
    """The body of POST /sample."""

    model_config = ConfigDict(extra="forbid", strict=True)
    n: int = Field(1, ge=1, le=MOST, description="how many samples")
    seed: int = Field(0, ge=0, lt=2**63, description="seed of the latents: the same samples as wgan sample --seed")
    label: Name | Annotated[list[Name], Field(min_length=1, max_length=100)] | None = Field(
        None, description="one class, or several that take turns; null: as wgan sample does without --label"
    )
    where: str | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="what rows are to have, as wgan sample --where: colour=red,age>=40",
    )
    given: (
        Annotated[str, Field(min_length=1, max_length=1000)]
        | Annotated[
            dict[Word, Value | Annotated[list[Value], Field(max_length=2)]], Field(min_length=1, max_length=100)
        ]
        | None
    ) = Field(
        None,
        description="conditions of a model that has some, as wgan sample --given: energy=50,angle=-30..30, or an object "
        "of values by name, where [from, to] is a range",
    )
    format: Literal["png", "npz", "json", "csv"] = Field("png", description="csv: of rows, points and signals only")


@dataclass(frozen=True)
class Made:
    """An answer in its format, and what has to be said of it."""

    data: bytes
    warnings: tuple[str, ...] = ()


class Answer(BaseModel):
    """An answer that refuses a request."""

    error: str


@dataclass(frozen=True)
class Front:
    """Answers POST /sample itself, in a fifth of the time that FastAPI takes, whose schema tells of it; hands on all else."""

    app: Application
    sample: Callable[[Asked], Awaitable[Response]]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request whose body is whole."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", "/sample"):
            await self.app(scope, receive, send)
            return
        try:
            kind = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
            response = await self.sample(asked_in((await receive())["body"], kind))
        except Refused as refused:
            response = refusal_of(refused)
        await response(scope, receive, send)


def refusal_of(refused: Refused) -> Response:
    """Return the answer that refuses a request."""
    return JSONResponse(
        {"error": refused.sentence}, refused.status, {"Retry-After": "1"} if refused.status == 503 else None
    )


def asked_in(body: bytes, kind: str) -> Asked:
    """Return what a body of a content type asks; Refused with what is wrong in one sentence."""
    main, _, sub = kind.partition(";")[0].strip().lower().partition("/")
    if main != "application" or not (sub == "json" or sub.endswith("+json")):
        raise Refused(422, "the body: send JSON, with the header Content-Type: application/json")
    try:
        return Asked.model_validate(json.loads(body))
    except json.JSONDecodeError:
        raise Refused(422, "the body: json decode error") from None
    except ValidationError as error:
        raise Refused(422, first_fault(error)) from None
    except (RecursionError, ValueError):  # brackets without an end, bytes that are no text, numbers of 5,000 digits
        raise Refused(400, "the body: there was an error parsing the body") from None


def first_fault(error: ValidationError) -> str:
    """Return what is wrong with a body, in one sentence."""
    fault = error.errors(include_url=False, include_input=False)[0]
    if fault["type"] == "model_type":
        return 'the body: send a JSON object, such as {"n": 1}'
    where = next((str(part) for part in fault["loc"] if part in Asked.model_fields), "the body")
    return f"{where}: {fault['msg'].lower()}"


def application(model: Model, hosts: frozenset[str] = frozenset(), worker: Worker | None = None) -> Application:
    """Return the ASGI application that serves `model` to those who ask under one of `hosts`, an address or localhost."""
    app = FastAPI(title="wgan serve", version=__version__, docs_url=None, redoc_url=None)
    add_refusals(app)
    add_pages(app, model)
    return Guard(Front(app, add_sampling(app, shared(model), worker or Worker())), hosts)


def add_refusals(app: FastAPI) -> None:
    """Let a wrong address or method be answered with a status and `{"error": one sentence}`."""

    @app.exception_handler(HTTPException)
    async def other(_: Request, error: HTTPException) -> Response:
        return JSONResponse({"error": f"{error.detail}: see /docs for what there is"}, error.status_code, error.headers)


def add_pages(app: FastAPI, model: Model) -> None:
    """Add the page of the generator, what the model is, and how to use the server."""
    card = card_of(model, model.run.path.resolve().name)
    try:
        page = render(model, card)
    except WganError as error:
        page = templates().get_template("nopage.html").render(card=card, reason=str(error))
    about, asking = info(model, card), templates().get_template("asking.html")
    help_page = asking.render(
        card=card, most=MOST, label=first_label(model), where=can_ask(model), given=example_of(model)
    )

    @app.get("/", response_class=HTMLResponse)
    async def index() -> HTMLResponse:
        """The page that runs the generator in the browser."""
        return HTMLResponse(page)

    @app.get("/docs", response_class=HTMLResponse)
    async def docs() -> HTMLResponse:
        """How to use the server, with examples."""
        return HTMLResponse(help_page)

    @app.get("/info")
    async def what() -> dict[str, Any]:
        """What the model is: shape, classes, columns, step, licence of its data, limits."""
        return about

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        """Whether the server answers."""
        return {"status": "ok"}


def first_label(model: Model) -> str:
    """Return a label to show in an example, '' for an unconditional model."""
    return model.class_names[0] if model.class_names else ""


def can_ask(model: Model) -> bool:
    """Return whether rows can be asked for by `where`: those of a table of any kind that is trained without classes."""
    return model.table is not None and not model.network.told


def info(model: Model, card: Card) -> dict[str, Any]:
    """Return what the model is."""
    facts = model.run.facts
    return {
        "name": card.name,
        "kind": card.kind,
        "shape": list(facts.shape),
        "classes": model.class_names,
        "columns": column_names(model),
        "conditions": [{"name": c.name, **about_condition(c)} for c in conditions_of(model)],
        "step": model.step,
        "latent": model.network.latent,
        "licence": card.licence_about,
        "limits": card.limits,
        "most": MOST,
        "versions": facts.versions,
    }


def about_condition(c: Condition) -> dict[str, Any]:
    """Return what can be given: the levels that were learned, or the range of a number."""
    if c.levels:
        return {"levels": [level for level, count in zip(c.levels, c.trained, strict=True) if count]}
    return {"low": c.low, "high": c.high}


def add_sampling(app: FastAPI, model: SharedModel, worker: Worker) -> Callable[[Asked], Awaitable[Response]]:
    """Add POST /sample to what `app` says of itself, and return what answers it."""
    content: dict[str, Any] = {kind.partition(";")[0]: {} for kind in TYPES.values()}
    refusals: dict[int | str, dict[str, Any]] = {
        code: {"model": Answer} for code in (400, 403, 408, 413, 421, 422, 503)
    }

    @app.post("/sample", response_class=Response, responses={200: {"content": content}, **refusals})
    async def sample(asked: Asked) -> Response:
        """Samples of the model, as wgan sample makes them with the same seed."""
        require_table(asked, model)
        try:
            if is_quick(asked, model.run.facts.shape):
                made = await quick(model, asked, worker)
            else:
                made = await worker.do(lambda: answered(model, asked), asked.n)
        except WganError as error:
            raise Refused(400, without_path(str(error), model.run.path)) from None
        headers = {
            "Content-Disposition": f'attachment; filename="samples.{asked.format}"',
            "X-Content-Type-Options": "nosniff",
        }
        if made.warnings:
            headers["X-Warnings"] = json.dumps(made.warnings[:5])  # in ASCII, whatever a condition is called
        return Response(made.data, media_type=TYPES[asked.format], headers=headers)

    return sample


def require_table(asked: Asked, model: Model) -> None:
    """Refuse what has no columns as csv, before it is made."""
    if asked.format == "csv" and len(model.run.facts.shape) > 2:
        kind = kind_of(model.run.facts.shape)
        raise Refused(400, f"format: csv is for rows, points and signals, and these samples are {kind}")


def without_path(sentence: str, path: Path) -> str:
    """Return a sentence about a run that does not say where it lies on this machine."""
    return re.sub(rf"(?<!\S){re.escape(str(path))}(?!\S)", "this model", sentence)


def is_quick(asked: Asked, shape: tuple[int, ...]) -> bool:
    """Return whether an answer is prepared and written in a moment: few samples, and no plot of signals or points."""
    few = asked.n <= FEW and asked.n * math.prod(shape) <= NUMBERS
    return few and asked.where is None and (asked.format != "png" or len(shape) == 3)


async def quick(model: SharedModel, asked: Asked, worker: Worker) -> Made:
    """Return the answer to a request for few samples: that of answered(), in a pass that other requests share."""
    passes = model.shared_passes
    passes.count(1)
    try:  # without Model.sample's guard against settings of torch: the process is the server's own
        draw = model.draw(asked.n, asked.label, asked.seed, given=asked.given)
        made = draw.finish(await worker.pass_of(passes, draw))
        return Made(encoded(made, model, asked.format), made.warnings)
    finally:
        passes.count(-1)


def answered(model: Model, asked: Asked) -> Made:
    """Return the answer to a request, by Model.sample."""
    samples = model.sample(asked.n, asked.label, asked.seed, where=asked.where, given=asked.given)
    return Made(encoded(samples, model, asked.format), samples.warnings)


def encoded(samples: Samples, model: Model, form: str) -> bytes:
    """Return samples in one of the formats: byte for byte what `wgan sample` writes."""
    match form:
        case "npz":
            return npz_bytes(samples, model)
        case "csv":
            return csv_text(samples, model).encode()
        case "json":
            return json_text(samples, model).encode()
        case _:
            return grid_bytes(samples)


def json_text(samples: Samples, model: Model) -> str:
    """Return images as uint8 [N, H, W] or [N, H, W, C], signals, or the columns of rows by name.

    Beside the first two labels and, of a model with conditions, `given`.
    """
    if samples.dim() == 2:
        columns = {name: np.asarray(values, object).tolist() for name, values in columns_of(samples, model).items()}
        return json.dumps({"columns": columns}, default=lambda value: value.isoformat())  # dates
    labels = None if samples.labels is None else samples.labels.tolist()
    name = kind_of(samples.shape[1:])
    told = {} if samples.given is None else {"given": {key: v.tolist() for key, v in samples.given.items()}}
    return json.dumps({name: array_of(samples, model).tolist(), "labels": labels, **told})

"""`wgan export`: the generator of a run as something to take elsewhere."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from wgan.cli.sample import output_path, require_no_stream, say
from wgan.errors import WganError, unknown
from wgan.export.hub import export_hub, push, require_push
from wgan.export.onnx import CHECKED, export_onnx
from wgan.export.page import export_page
from wgan.sampling.model import Model, load

SUFFIXES = {"hub": "-model", "page": ".html", "onnx": ".onnx"}  # what each target's default name ends with


def command(found: argparse.Namespace) -> int:
    """`wgan export`: write the model and say where it is."""
    if found.to not in SUFFIXES:
        raise unknown("target", found.to, SUFFIXES)
    refuse_others(found)
    require_no_stream(found.out or "")
    name = Path(found.path).resolve().name if not found.path.startswith("hf:") else found.path.rpartition("/")[2]
    out = Path(found.out) if found.out else Path(f"{name}{SUFFIXES[found.to]}")
    writers: dict[str, Callable[[Model, Path, argparse.Namespace], None]] = {
        "hub": to_hub,
        "page": to_page,
        "onnx": to_onnx,
    }
    if found.to != "hub":
        require_file(out, SUFFIXES[found.to], found.force)
    model = load(found.path, found.checkpoint, found.raw, threads=found.threads)
    say(model.notes)
    writers[found.to](model, out, found)
    return 0


def refuse_others(found: argparse.Namespace) -> None:
    """Raise WganError for a flag that means nothing to the target, rather than leave it out in silence."""
    for flag, target in (("licence", "hub"), ("push", "hub"), ("rgb", "onnx"), ("critic", "onnx")):
        if getattr(found, flag) and found.to != target:
            raise WganError(f"--{flag} is for --to {target}: leave it out")


def to_hub(model: Model, out: Path, found: argparse.Namespace) -> None:
    """Write the folder, and upload it where --push names a place."""
    if found.push is not None:
        require_push(found.push)
    export_hub(model, out, found.force, found.licence, found.push)
    print(f"the model of step {model.step} in {out}: wgan.load({str(out)!r}), wgan sample {out}")
    if found.push is not None:
        print(f"pushed to {push(out, found.push)}")


def require_file(out: Path, suffix: str, force: bool) -> None:
    """Raise WganError unless a file of this kind can be written to `out`."""
    if out.suffix.lower() != suffix or out.is_dir():
        raise WganError(f"--out {out}: give a {suffix} file")
    output_path(str(out), force)


def to_page(model: Model, out: Path, found: argparse.Namespace) -> None:
    """Write the page."""
    size = export_page(model, out)
    print(f"the model of step {model.step} in {out} ({size / 1e6:.1f} MB): open it in a browser")


def to_onnx(model: Model, out: Path, found: argparse.Namespace) -> None:
    """Write the ONNX file, and say how near it is to PyTorch."""
    done = export_onnx(model, out, found.rgb, found.critic)
    names = f"{', '.join(done.inputs)} -> {', '.join(done.outputs)}"
    bf16 = ", in 32 bits; wgan itself computes this run in bf16" if model.engine.precision == "bf16" else ""
    print(
        f"the model of step {model.step} in {out}: {names}; it differs from PyTorch by at most {done.difference:.1e} "
        f"over {CHECKED} latents{bf16}"
    )

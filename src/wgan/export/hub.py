"""`wgan export --to hub`: a folder that load() and the Hugging Face hub take, whole or not there."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from safetensors.torch import save as tensor_bytes

from wgan.data import is_own
from wgan.data.own.open import public_name
from wgan.errors import WganError
from wgan.export.card import card_of, card_text
from wgan.files import sync_folder, write_atomically
from wgan.runs.exported import FILES, WEIGHTS, Exported, hub_name, is_exported, to_json
from wgan.sampling.grids import portray
from wgan.sampling.latents import fixed_latents
from wgan.sampling.model import Model
from wgan.visual.images import save_png


def export_hub(
    model: Model, out: Path, force: bool = False, licence: str | None = None, name: str | None = None
) -> None:
    """Write `model` as a folder: model.safetensors, config.json, README.md, samples.png.

    licence: of the training data, for the card. name: on the hub, user/name. Raises WganError for a folder that is there, or
    that `force` would take more from than an exported model; `out` is then as it was.
    """
    check_place(out, force)
    weights = weight_bytes(model)
    exported = Exported(model.step, model.weights, hashlib.sha256(weights).hexdigest())
    config, facts = model.run.config, model.run.facts
    public = config.replace(data=public_data(config.data))
    card = card_of(model, name or out.resolve().name, licence)
    place = f"hf:{name}" if name else out.name
    files = {
        WEIGHTS: weights,
        "config.json": to_json(public, facts, exported).encode(),
        "README.md": card_text(card, model, {"picture": "samples.png", "place": place}).encode("utf-8", "replace"),
    }
    write_folder(out, files, grid(model))


def weight_bytes(model: Model) -> bytes:
    """Return the generator's weights as safetensors, by the names of its state dictionary."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()}
    return tensor_bytes(state, metadata={"format": "pt"})


def grid(model: Model) -> Image.Image:
    """Return the run's own sample grid: its fixed latents, one class for each column."""
    z, y = fixed_latents(model.run.config.seed, model.network.latent, model.network.classes, model.conditions)
    return portray(model.decode(z, y), None)


def public_data(spec: str) -> str:
    """Return a data spec as an exported model may hold it: a user's own path without the folders above it."""
    name = public_name(spec)
    return f"./{name}" if is_own(spec) and name != spec and not is_own(name) else name


def check_place(out: Path, force: bool) -> None:
    """Raise WganError unless a model may be written to the folder `out`."""
    if not out.absolute().parent.is_dir():
        raise WganError(f"the folder {out.parent} does not exist: create it or give another --out")
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise WganError(f"{out} is not a folder: give another --out")
    there = {p.name for p in out.iterdir()} if out.is_dir() else set()
    if there and not force:
        raise WganError(f"{out} exists: give another --out, or --force to replace it")
    strange = there - {*FILES, "metrics.json", "neighbours.png"}
    if strange or (there and not holds_model(out)):
        what = f"it holds {min(strange)}" if strange else "it is not an exported model"
        raise WganError(f"{out} is not replaced: {what}; give another --out")


def holds_model(folder: Path) -> bool:
    """Return whether a folder's config.json is that of an exported model."""
    try:
        return is_exported((folder / "config.json").read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return False


def write_folder(out: Path, files: Mapping[str, bytes], picture: Image.Image) -> None:
    """Write `files` and the sample grid into a new folder next to `out`, then put that in its place."""
    out = out.absolute()
    try:
        fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise WganError(f"cannot write {out}: {error.strerror}") from None
    try:
        for name, data in files.items():
            write_atomically(fresh / name, data)
        save_png(picture, fresh / "samples.png")
        fresh.chmod(0o755 & ~_umask())
        replace_folder(out, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def replace_folder(out: Path, fresh: Path) -> None:
    """Rename the folder `fresh` to `out`; one that is there is removed only afterwards."""
    old = fresh.with_name(f"{fresh.name}.old")
    try:
        if out.exists():
            os.replace(out, old)
        os.replace(fresh, out)
    except OSError as error:
        if old.exists() and not out.exists():
            os.replace(old, out)
        raise WganError(f"cannot write {out}: {error.strerror}; what was there is as it was") from None
    sync_folder(out.parent)
    shutil.rmtree(old, ignore_errors=True)


def require_push(name: str) -> None:
    """Raise WganError for a name that the hub cannot have, and without huggingface_hub: before anything is written."""
    hub_name(name)
    try:
        import huggingface_hub  # noqa: F401
    except ImportError:
        raise WganError("--push needs huggingface_hub: pip install 'wgan[hub]'") from None


def push(folder: Path, name: str) -> str:
    """Upload an exported model to the hub as user/name and return its address; the token is huggingface_hub's own.

    $HF_ENDPOINT is another hub. Raises WganError without huggingface_hub, or with what the hub answered.
    """
    require_push(name)
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
    try:
        address = api.create_repo(name, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder, allow_patterns=list(FILES), commit_message="wgan export")
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise WganError(f"cannot push to {name}: {str(error).strip().splitlines()[0]}") from None
    return str(address)

"""The program around this library: what it has set in torch must change nothing, and its random stream is its own.

Two trainings in two threads give what each gives alone: nothing is drawn from the generator of the process.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from wgan.errors import WganError

DROPOUT: ContextVar[torch.Generator | None] = ContextVar("generator of dropout", default=None)


class _Drawing(TorchDispatchMode):
    """Gives every random operation of this thread a generator; layers that are built draw from none that they are given."""

    def __init__(self, source: torch.Generator) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.source = source

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if given.get("generator") is None and any(a.name == "generator" for a in func._schema.arguments):
            given["generator"] = self.source
        return func(*args, **given)


@contextmanager
def drawing(source: torch.Generator) -> Iterator[None]:
    """Within the block what torch would draw from the generator of the process comes from `source`: initial weights."""
    with _Drawing(source):
        yield


@contextmanager
def dropping(source: torch.Generator) -> Iterator[None]:
    """Within the block dropout draws from `source`; a mode as above would slow every operation down."""
    token = DROPOUT.set(source)
    try:
        yield
    finally:
        DROPOUT.reset(token)


@contextmanager
def repeated() -> Iterator[None]:
    """After the block dropout draws once more what it drew within it."""
    source = DROPOUT.get()
    state = None if source is None else source.get_state()
    yield
    if source is not None and state is not None:
        source.set_state(state)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within the block autocast, grad mode, inference mode, default device and NumPy's errors are as torch begins with.

    They belong to one thread, as does the rounding of the smallest numbers to 0. What belongs to the whole process is not changed
    behind the back of its other threads: WganError for what `require_usual` refuses.
    """
    require_usual()
    require_no_hooks()
    with ExitStack() as stack:
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(torch.inference_mode(False))  # which switches gradients on as well
        stack.enter_context(np.errstate(all="warn", under="ignore"))
        if flushes():
            stack.callback(torch.set_flush_denormal, True)
            torch.set_flush_denormal(False)
        yield


def flushes() -> bool:
    """Return whether this thread rounds numbers below the smallest normal one to 0."""
    return bool(torch.tensor(1e-40, dtype=torch.float32, device="cpu") * 1 == 0)


def require_usual() -> None:
    """Raise WganError for another default dtype, a reduced precision or oneDNN switched off: each changes every number."""
    if torch.get_default_dtype() != torch.float32:
        name = str(torch.get_default_dtype()).removeprefix("torch.")
        raise WganError(
            f"torch's default dtype is {name} in this program: call torch.set_default_dtype(torch.float32) first (double "
            "precision is the option precision fp64)"
        )
    if not torch.backends.mkldnn.enabled:
        raise WganError(
            "oneDNN is switched off in this program, which changes every number: set torch.backends.mkldnn.enabled = True first"
        )
    if (precision := matmul_precision()) != "highest":
        raise WganError(
            f"torch's float32 matmul precision is '{precision}' in this program, which changes every number: call "
            "torch.set_float32_matmul_precision('highest') first"
        )
    for name, value in precisions().items():
        if value not in ("none", "ieee"):
            raise WganError(
                f"torch.backends.{name} is '{value}' in this program, which changes every number: set it to 'ieee' first"
            )


def require_no_hooks() -> None:
    """Raise WganError for hooks on every module of this program: they may change what each network computes."""
    for name in ("forward_pre", "forward", "backward_pre", "backward"):
        if getattr(nn.modules.module, f"_global_{name}_hooks"):
            raise WganError(
                f"this program has a global {name.replace('_', '-')} hook on modules of torch, which may change what networks "
                "compute: remove it first"
            )


def matmul_precision() -> str:
    """Return how exactly torch multiplies; 'highest' where only the newer settings can tell, see `precisions`."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return "highest"


def precisions() -> dict[str, str]:
    """Return how exactly torch multiplies float32 numbers, by the names of its newer settings; torch before 2.9 has none."""
    names = ("fp32_precision", "mkldnn.fp32_precision", "mkldnn.matmul.fp32_precision", "mkldnn.conv.fp32_precision")
    found = {}
    for name in names:
        place: Any = torch.backends
        for step in name.split("."):
            place = getattr(place, step, None)
        if isinstance(place, str):
            found[name] = place
    return found


@contextmanager
def contained() -> Iterator[None]:
    """After the block threads, grad mode, dtypes, NumPy's errors and the working folder are as before: for a caller's code."""
    threads, dtype, precision = torch.get_num_threads(), torch.get_default_dtype(), matmul_precision()
    exact, device, learning = (
        torch.are_deterministic_algorithms_enabled(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
    )
    folder = os.open(".", os.O_RDONLY)  # by number: its name may be gone
    with np.errstate():
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.set_default_dtype(dtype)
            torch.set_float32_matmul_precision(precision)
            torch.use_deterministic_algorithms(exact)
            torch.set_grad_enabled(learning)
            if torch.get_default_device() != device:
                torch.set_default_device(None if device.type == "cpu" else device)
            os.fchdir(folder)
            os.close(folder)


_SEEDING = threading.RLock()


@contextmanager
def seeding(seed: int) -> Iterator[None]:
    """Within the block all that is drawn, from torch, NumPy or Python, begins at `seed`: for modules of the caller's own.

    They may draw in any way, also from the generators of the process, which are put back afterwards. One thread at a time.
    """
    with _SEEDING:
        torch_state, numpy_state, python_state = torch.get_rng_state(), np.random.get_state(), random.getstate()
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            torch.set_rng_state(torch_state)
            np.random.set_state(numpy_state)
            random.setstate(python_state)
            if cuda:
                torch.cuda.set_rng_state_all(cuda)


@contextmanager
def thread_count(count: int) -> Iterator[None]:
    """Within the block torch uses `count` CPU threads; afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)

"""Matrix products of fully connected layers in the ways that are fastest on a CPU, and what all fast layers share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

_INPUTS_ONLY: ContextVar[bool] = ContextVar("inputs only", default=False)


@contextmanager
def inputs_only() -> Iterator[None]:
    """Within the block a first gradient is taken of inputs alone, as a penalty does: weights get none.

    PyTorch tells its own layers so, but no function written in Python: it would compute weight gradients for nothing.
    """
    token = _INPUTS_ONLY.set(True)
    try:
        yield
    finally:
        _INPUTS_ONLY.reset(token)


def needed(ctx: Any) -> tuple[bool, bool, bool]:
    """Return whether the gradients of input, weight and bias are wanted."""
    x, w, b = ctx.needs_input_grad[:3]
    return (x, False, False) if _INPUTS_ONLY.get() else (x, w, b)


# --- fully connected --------------------------------------------------------------------------------------------------


def linear(x: Tensor, weight: Tensor, bias: Tensor, library: str = "onednn") -> Tensor:
    """x [B, n], weight [m, n], bias [m] -> [B, m]: in bf16 under autocast, else in fp32.

    fp32 goes to `library`, onednn or mkl: the first is twice as fast on one processor, the second on another; bf16 casts once
    for forward and backward.
    """
    half = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    out: Tensor = _Linear.apply(x, weight, bias, way_of(x, half, library))  # type: ignore[no-untyped-call]
    return out


def can_multiply(x: Tensor) -> bool:
    """Return whether `linear` takes x: fp32 or bf16 rows on a CPU with oneDNN."""
    known = x.dtype in (torch.float32, torch.bfloat16) and x.dim() == 2 and x.device.type == "cpu"
    return known and torch.backends.mkldnn.is_available()


def way_of(x: Tensor, half: bool, library: str) -> str:
    """Return how a product of x is computed: bf16, onednn or mkl."""
    return "bf16" if half or x.dtype == torch.bfloat16 else library


def times(g: Tensor, weight: Tensor, library: str = "onednn") -> Tensor:
    """g [B, m], weight [m, n] -> g weight [B, n], as often differentiable as one likes: a gradient on its way to the input."""
    if not can_multiply(g):
        return g @ weight
    made: Tensor = _Product.apply(g, weight.t(), way_of(g, False, library))  # type: ignore[no-untyped-call]
    return made


def product(a: Tensor, b: Tensor, bias: Tensor | None, way: str) -> Tensor:
    """a [m, k], b [n, k] -> a b^T (+ bias) [m, n], the way bf16, onednn or mkl."""
    if way == "onednn":
        out: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
        return out
    if way == "mkl":
        return a @ b.t() if bias is None else torch.addmm(bias, a, b.t())
    a, b = a.to(torch.bfloat16), b.to(torch.bfloat16)
    return a @ b.t() if bias is None else torch.addmm(bias.to(torch.bfloat16), a, b.t())


class _Product(torch.autograd.Function):
    """a b^T, as often differentiable as one likes."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, way: str) -> Tensor:
        ctx.save_for_backward(a, b)
        ctx.way = way
        return product(a, b, None, way)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        (a, b), need = ctx.saved_tensors, ctx.needs_input_grad
        return *_factors(g, a, b, need[0], need[1], ctx.way), None


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor, way: str) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.way = way
        x, w = (x.to(torch.bfloat16), w.to(torch.bfloat16)) if way == "bf16" else (x, w)
        ctx.cast = (x, w)
        return product(x, w, b, way)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        (x, w), need = ctx.saved_tensors, needed(ctx)
        if torch.is_grad_enabled():  # to be differentiated once more
            dx, dw = _factors(g, x, w, need[0], need[1], ctx.way)
        else:
            a, b = ctx.cast
            dx = product(g, b.t(), None, ctx.way).to(x.dtype) if need[0] else None
            dw = product(g.t(), a.t(), None, ctx.way).to(w.dtype) if need[1] else None
        return dx, dw, g.sum(0, dtype=w.dtype) if need[2] else None, None


def _factors(g: Tensor, a: Tensor, b: Tensor, need_a: bool, need_b: bool, way: str) -> tuple[Tensor | None, ...]:
    """Return the gradients of a and b in a b^T, themselves differentiable."""
    da = _Product.apply(g, b.t(), way).to(a.dtype) if need_a else None  # type: ignore[no-untyped-call]
    db = _Product.apply(g.t(), a.t(), way).to(b.dtype) if need_b else None  # type: ignore[no-untyped-call]
    return da, db

"""A caller's own networks: what stands around them in a run, and how a run folder says which ones they were."""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

from wgan.host import seeding

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class _Own(nn.Module):
    """Holds a caller's module; its weights have the names that the module gives them."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def state_dict(self, *args: Any, **options: Any) -> Any:
        """Return the state of the module itself."""
        return self.module.state_dict(*args, **options)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Put a state back into the module itself."""
        return self.module.load_state_dict(state_dict, strict, assign)


class OwnGenerator(_Own):
    """A caller's G(z [B, Z], y [B] or None) -> x [B, *shape].

    classes, conditions: 0 = it looks at no label, and at no vector of conditions.
    In evaluation mode what it draws is the same on every call, so that a sample depends on
    its latent alone.
    """

    asks = False  # for values of the columns of a table

    def __init__(self, module: nn.Module, latent: int, classes: int, conditions: int = 0) -> None:
        super().__init__(module)
        self.latent, self.classes, self.conditions = latent, classes, conditions

    @property
    def told(self) -> bool:
        """Whether it looks at the class, or at the vector of conditions, of each sample."""
        return self.classes > 0 or self.conditions > 0

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z [B, Z], y int64 [B] or None -> x [B, *shape]."""
        if self.training:
            return widened(self.module(z, y))
        with seeding(0):
            return widened(self.module(z, y))


class OwnCritic(_Own):
    """A caller's D(x [B, *shape], y [B] or None) -> (score [B], class_logits [B, K] or None).

    fixed: what it draws is the same on every call, as where a run is measured.
    """

    fixed = False

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """x [B, *shape], y int64 [B] or None -> score [B], class logits [B, K] or None."""
        with seeding(0) if self.fixed else nullcontext():
            score, logits = self.module(x, y)
        return widened(score), logits


def widened(x: Tensor) -> Tensor:
    """Return x with at least 32 bits: bf16 is too coarse for a score, and for a pixel near -1 and 1."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def part_facts(part: Any) -> dict[str, Any]:
    """Return what a part of the caller's is: its qualified name, a hash of its source, and of a module the weights' shapes.

    The hash covers the methods of its own classes, those of the modules within, and how a module prints itself; of a
    function its source and the plain values that it closes over. What these call is not covered.
    """
    text = "\n".join(sources(part))
    found: dict[str, Any] = {"name": name_of(part), "source": hashlib.sha256(text.encode()).hexdigest()}
    if isinstance(part, nn.Module):
        found["parameters"] = {name: list(p.shape) for name, p in part.named_parameters()}
    return found


def name_of(part: Any) -> str:
    """Return the qualified name of a class or function, or of the class of anything else."""
    if isinstance(part, functools.partial):
        return name_of(part.func)
    itself = isinstance(part, (type, FunctionType, MethodType, BuiltinFunctionType))
    return named(part if itself else type(part))


def named(kind: Any) -> str:
    """Return the qualified name of a class or function."""
    return f"{kind.__module__}.{kind.__qualname__}"


def sources(part: Any) -> Iterator[str]:
    """Yield everything by which one part is told from another."""
    if isinstance(part, nn.Module):
        yield ADDRESS.sub("", repr(part))
        for kind in sorted({type(m) for m in part.modules()}, key=named):
            yield from class_sources(kind)
    elif isinstance(part, type):
        yield from class_sources(part)
    elif isinstance(part, FunctionType):
        yield function_source(part)
    elif callable(part) and not isinstance(part, (str, bytes)):
        yield from callable_sources(part)
    else:
        yield ADDRESS.sub("", repr(part))


def class_sources(kind: type) -> Iterator[str]:
    """Yield the methods of a class and of its bases, but those of Python and PyTorch, which a run's versions name."""
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] in ("torch", "builtins", "typing", "abc"):
            continue
        yield named(base)
        for name, value in sorted(vars(base).items()):
            function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
            function = function.fget if isinstance(function, property) else function
            if isinstance(function, FunctionType):
                yield f"{name}: {function_source(function)}"


def callable_sources(part: Callable[..., Any]) -> Iterator[str]:
    """Yield the sources of a callable other than a plain function: functools.partial, a bound method, an object with __call__."""
    if isinstance(part, functools.partial):
        yield from sources(part.func)
        yield ADDRESS.sub("", repr((part.args, sorted(part.keywords.items()))))
    elif isinstance(part, MethodType):
        yield function_source(part.__func__)  # type: ignore[arg-type]
    elif isinstance(part, BuiltinFunctionType):
        yield f"{part.__module__}.{part.__qualname__}"
    else:
        yield from class_sources(type(part))


def function_source(function: FunctionType) -> str:
    """Return the source of a function, its code where there is no source, with its defaults and what it closes over."""
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):  # typed at a prompt
        text = code_text(function.__code__)
    closed = [cell.cell_contents for cell in function.__closure__ or () if cell != type(cell)()]
    values = [
        v for v in [*closed, *(function.__defaults__ or ())] if isinstance(v, (int, float, str, tuple, type(None)))
    ]
    return f"{text}\n{values!r}"


def code_text(code: CodeType) -> str:
    """Return what a code object does, without addresses and line numbers."""
    inner = [code_text(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {inner}"


def difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return in what two descriptions differ, '' where they do not."""
    if was["name"] != now["name"]:
        return f"it was {was['name']}, and this is {now['name']}"
    old, new = was.get("parameters", {}), now.get("parameters", {})
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            return f"{name} was {old.get(name, 'not there')}, and is {new.get(name, 'not there')}"
    return "its source changed" if was["source"] != now["source"] else ""

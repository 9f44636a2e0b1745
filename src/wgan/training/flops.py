"""Floating-point operations of a step, counted where its products are computed."""

from __future__ import annotations

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Flops(TorchDispatchMode):
    """Counts the flops of every product by the formulas of torch.utils.flop_counter, of oneDNN's linear map and of sums in place.

    FlopCounterMode itself keeps books of modules, which a gradient within a step (the penalty) upsets.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func._overloadpacket
        if name in flop_registry:
            self.total += flop_registry[name](*args, **(kwargs or {}), out_val=out)
        elif str(name) == "aten.addmm_":
            self.total += 2 * args[1].numel() * args[2].shape[1]  # [m, k], [k, n]
        elif str(name) == "mkldnn._linear_pointwise":
            self.total += 2 * args[0].numel() * args[1].shape[0]  # x [B, n], weight [m, n]
        return out

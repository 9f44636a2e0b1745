"""The numbers of a folded generator as one text: kernels in 16 bits with a scale for each output, the rest as float32.

16-bit whole numbers with a scale err by at most max |w| / 65,534 in each column. A 16-bit float has 11 significant bits and
errs by up to |w| / 2,048 (after Dettmers 2022, section 2: absmax quantisation, here by column).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wgan.export.fold import Array, Op

LARGEST = 32767  # of a signed number of 16 bits


@dataclass
class Numbers:
    """The numbers collected so far: `put` and `put_kernel` return where they stand."""

    floats: list[Array] = field(default_factory=list)
    wholes: list[Any] = field(default_factory=list)
    float_count: int = 0
    whole_count: int = 0

    def put(self, values: Array) -> dict[str, int]:
        """Add numbers as float32."""
        flat = values.ravel()
        self.floats.append(flat)
        self.float_count += len(flat)
        return {"at": self.float_count - len(flat), "length": len(flat)}

    def put_kernel(self, kernel: Array) -> dict[str, Any]:
        """Add a kernel [K, N] as whole numbers q and a scale s [N] in float32: w = s q."""
        scale = (np.abs(kernel).max(0) / LARGEST).astype(np.float32)
        whole = np.rint(kernel / np.where(scale > 0, scale, 1)).clip(-LARGEST, LARGEST).astype("<i2")
        self.wholes.append(whole.ravel())
        self.whole_count += whole.size
        return {"shape": list(kernel.shape), "at": self.whole_count - whole.size, "scale": self.put(scale)["at"]}

    def text(self) -> str:
        """Return all of them in base64: the float32 first."""
        parts = [
            np.concatenate([*self.floats, np.zeros(0)]).astype("<f4"),
            np.concatenate([*self.wholes, np.zeros(0)]).astype("<i2"),
        ]
        return base64.b64encode(b"".join(part.tobytes() for part in parts)).decode()


def packed(ops: list[Op], numbers: Numbers) -> list[Op]:
    """Return the operations with places in `numbers` instead of arrays, fit for JSON."""
    return [{name: _packed(name, value, numbers) for name, value in op.items()} for op in ops]


def _packed(name: str, value: Any, numbers: Numbers) -> Any:
    if name == "parts":
        return [packed(part, numbers) for part in value]
    if name == "w":
        return numbers.put_kernel(value)
    return numbers.put(value) if isinstance(value, np.ndarray) else value

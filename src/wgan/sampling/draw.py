"""One draw of samples before it is computed, so that the server can compute many in one pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from wgan.sampling.model import Samples


@dataclass(frozen=True)
class Draw:
    """Latents [N, Z], the class int64 [N] or conditions [N, W] of each (None: none), and what makes an answer of the samples."""

    z: Tensor
    told: Tensor | None
    finish: Callable[[Samples], Samples]

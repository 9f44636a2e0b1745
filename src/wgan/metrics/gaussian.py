"""How far vectors lie from normal ones, in units of how those vary: Mahalanobis distances by probabilistic PCA."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

DIRECTIONS = 128  # that have a variance each; docs/lab/anomaly.md says on what it was chosen
FLOOR = (
    1e-4  # of the mean variance, which no direction lies below, constant numbers included; far above what fp32 rounds
)


@dataclass(frozen=True, eq=False)
class Gaussian:
    """N(mean, V diag(variances) Vᵀ + rest (1 − V Vᵀ)): directions V have a variance each, all others share one."""

    mean: Tensor  # [W]
    directions: Tensor  # Vᵀ [K, W], orthonormal
    variances: Tensor  # [K]
    rest: Tensor  # []

    def distance(self, rows: Tensor) -> Tensor:
        """Return (v − mean)ᵀ Σ⁻¹ (v − mean) / W of rows v [N, W]: [N], 1 in the mean over the rows that were fitted."""
        along = self.along(rows).square()  # [N, K]
        across = ((rows.double() - self.mean).square().sum(1) - along.sum(1)).clamp(min=0)
        found: Tensor = ((along / self.variances).sum(1) + across / self.rest) / rows.shape[1]
        return found

    def along(self, rows: Tensor) -> Tensor:
        """Return (v − mean) V of rows [N, W], how far each lies along the directions: [N, K]."""
        found: Tensor = (rows.double() - self.mean) @ self.directions.T
        return found

    def tensors(self) -> dict[str, Tensor]:
        """Return what from_tensors() takes, as fp32."""
        return {name: tensor.float() for name, tensor in self.__dict__.items()}


def from_tensors(tensors: dict[str, Tensor], device: torch.device | str = "cpu") -> Gaussian:
    """Return the Gaussian that tensors() came from, on a device."""
    return Gaussian(**{name: tensors[name].to(device, torch.float64) for name in Gaussian.__dataclass_fields__})


def fit_gaussian(rows: Tensor, most: int = DIRECTIONS) -> Gaussian:
    """Return the Gaussian of rows [N, W], N > 1, by probabilistic PCA (Tipping and Bishop 1999, equations 7 and 8).

    The K directions of the largest variance keep theirs; the others get the mean of what is left, K ≤ `most`, N / 2 and W.
    """
    n, width = rows.shape
    mean = rows.double().mean(0)
    centred = rows.double() - mean
    k = min(most, n // 2, width)
    if width <= n:
        values, vectors = torch.linalg.eigh(centred.T @ centred / n)  # ascending
        top = vectors.T.flip(0)[:k]
    else:  # the same directions from the smaller matrix
        values, vectors = torch.linalg.eigh(centred @ centred.T / n)
        top = torch.nn.functional.normalize(vectors.T.flip(0)[:k] @ centred)
    variances = values.flip(0)[:k].clamp(min=0)
    total = centred.square().sum() / n
    floor = (FLOOR * total / width).clamp(min=1e-12)
    left = total - variances.sum() if k < width else total  # of no direction: any, as long as it is not small
    rest = left / max(1, width - k)
    return Gaussian(mean, top.contiguous(), variances.clamp(min=floor), rest.clamp(min=floor))

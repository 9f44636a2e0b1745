"""The anomaly score: how unusual a sample's residual and features are, measured by those of training samples."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wgan.metrics.gaussian import Gaussian, fit_gaussian, from_tensors
from wgan.metrics.neighbours import nearest

NEIGHBOURS = 5
SMALLEST = 1e-9  # of what a logarithm is taken of


@dataclass(frozen=True, eq=False)
class Usual:
    """What scores measure by: two Gaussians, training samples to be near to, and how the score's two parts vary."""

    residual: Gaussian  # of x − G(E(x))
    features: Gaussian  # of f(x)
    base: Tensor  # [M, K], training samples: f(x) along the directions of `features`
    spacing: Tensor  # [M], of each of them the mean distance to its NEIGHBOURS nearest others
    center: Tensor  # [2], mean of the logarithms of both parts over training samples that fitted none of the above
    scale: Tensor  # [2], their standard deviation

    def judge(self, residual: Tensor, features: Tensor) -> Tensor:
        """Return four columns [N, 4] of samples with residuals x − G(E(x)) [N, n] and features f(x) [N, W].

        m_r and m_f, m(v) = (v − μ)ᵀ Σ⁻¹ (v − μ) / W of residual and features; the local distance l, the mean distance of f(x) to
        its 5 nearest training samples over the mean of the same of those 5 (the simplified local outlier factor of Schubert et
        al. 2014); and the score (s((m_r + m_f) / 2) + s(l)) / 2, s = the logarithm in standard deviations from its mean over
        training samples. 0 = as usual.
        """
        columns = self.parts(residual, features)  # [N, 3]
        both = torch.stack([columns[:, :2].mean(1), columns[:, 2]], 1).clamp(min=SMALLEST).log()
        score = ((both - self.center) / self.scale).mean(1, keepdim=True)
        return torch.cat([columns, score], 1)

    def parts(self, residual: Tensor, features: Tensor) -> Tensor:
        """Return m_r, m_f and l of samples [N, 3]."""
        near, which = near_to(self.features.along(features), self.base)
        local = near / self.spacing[which].mean(1).clamp(min=SMALLEST)
        return torch.stack([self.residual.distance(residual), self.features.distance(features), local], 1)

    def tensors(self) -> dict[str, Tensor | dict[str, Tensor]]:
        """Return what usual_of() takes, as fp32."""
        own: dict[str, Tensor | dict[str, Tensor]] = {
            name: getattr(self, name).float() for name in ("base", "spacing", "center", "scale")
        }
        return own | {"residual": self.residual.tensors(), "features": self.features.tensors()}


def near_to(rows: Tensor, base: Tensor, own: bool = False) -> tuple[Tensor, Tensor]:
    """Return the mean distance of rows [N, K] to the NEIGHBOURS nearest of base [M, K], [N], and which these are [N, 5].

    own: rows are the base, and none is its own neighbour.
    """
    count = min(NEIGHBOURS, len(base) - own)
    distances, index = nearest(rows.cpu().numpy(), base.cpu().numpy(), count, own)
    return torch.from_numpy(distances).mean(1).to(base), torch.from_numpy(index).to(base.device)


def usual_of(tensors: dict[str, Tensor], device: torch.device | str = "cpu") -> Usual:
    """Return what Usual.tensors() gave, names joined by a slash, on a device."""
    own = {name: t.to(device, torch.float64) for name, t in tensors.items() if "/" not in name}
    parts: dict[str, dict[str, Tensor]] = {"residual": {}, "features": {}}
    for name, tensor in tensors.items():
        part, _, key = name.partition("/")
        if key:
            parts[part][key] = tensor
    residual, features = (from_tensors(parts[name], device) for name in ("residual", "features"))
    return Usual(residual, features, *(own[name] for name in ("base", "spacing", "center", "scale")))


def learn_usual(residual: Tensor, features: Tensor) -> Usual:
    """Return what is usual of training samples with residuals [N, n] and features [N, W], N > 3, in a random order.

    Two thirds fit the Gaussians and are what others are near to; the last third shows how far such others are.
    """
    fitted = max(2, len(residual) * 2 // 3)
    first, second = fit_gaussian(residual[:fitted]), fit_gaussian(features[:fitted])
    base = second.along(features[:fitted])
    spacing = near_to(base, base, own=True)[0]
    neutral = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    usual = Usual(first, second, base, spacing, *neutral)
    m_r, m_f, local = usual.parts(residual[fitted:], features[fitted:]).unbind(1)
    logs = torch.stack([(m_r + m_f) / 2, local], 1).clamp(min=SMALLEST).log()
    return Usual(first, second, base, spacing, logs.mean(0), logs.std(0, correction=0).clamp(min=1e-3))

"""Latents: drawn from a seed, truncated, fixed for the sample grids, interpolated."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wgan.data.conditions import Conditions
from wgan.errors import WganError
from wgan.rng import stream
from wgan.sampling.generate import BLOCK
from wgan.sampling.given import grid_codes
from wgan.sampling.grids import COLUMNS

DRAWN_AT_ONCE = 16  # numbers: fewer would be other ones


def fixed_latents(
    seed: int, latent: int, classes: int, conditions: Conditions | None = None
) -> tuple[Tensor, Tensor | None]:
    """Return the 100 latents of a run's sample grids and what they are told: a class, or a step of a sweep, for each column."""
    z = torch.randn(BLOCK, latent, generator=stream(seed, 0, "sheet"))
    return z, told_in_grid(seed, BLOCK, classes, conditions, COLUMNS)


def told_in_grid(
    seed: int, n: int, classes: int, conditions: Conditions | None, columns: int | None = None
) -> Tensor | None:
    """Return the labels [n] or condition vectors [n, W] of a run's n fixed samples; None for an unconditional one."""
    if conditions is not None:
        return torch.from_numpy(conditions.encode(grid_codes(conditions, n, seed)))
    return (torch.arange(n) % (columns or n)) % classes if classes else None


def latents(seed: int, n: int, latent: int) -> Tensor:
    """Return the first n latents [n, latent] of `seed`, drawn in blocks so that the i-th does not depend on n."""
    require_seed(seed)
    whole, rest = divmod(n, BLOCK)
    parts = [latent_block(seed, number, latent) for number in range(whole)]
    parts += [latent_block(seed, whole, latent, rest)] if rest else []
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def latent_block(seed: int, number: int, latent: int, rows: int = BLOCK) -> Tensor:
    """Return the first `rows` latents of block `number` [rows, latent].

    torch draws N(0, 1) by groups of 16 numbers, and the last 16 of all anew where the last group is not full: so no fewer
    numbers than the whole block are drawn where these are among them.
    """
    whole = BLOCK * latent
    count = DRAWN_AT_ONCE * math.ceil(rows * latent / DRAWN_AT_ONCE)
    count = count if count <= whole - DRAWN_AT_ONCE else whole
    drawn = torch.randn(count, generator=stream(seed, number, "sample"))
    return drawn[: rows * latent].view(rows, latent)


def require_seed(seed: int) -> None:
    """Raise WganError for a number that is not a seed of samples."""
    if not 0 <= seed < 2**63:
        raise WganError(f"seed must be between 0 and 2^63 - 1, not {seed}")


def truncated(z: Tensor, bound: float) -> Tensor:
    """Map N(0, 1) draws to the normal cut to [-bound, bound], by the inverse distribution function; 0 leaves them."""
    if not (bound >= 0 and math.isfinite(bound)):
        raise WganError(f"truncation must be 0 (off) or a positive number, not {bound}")
    if bound == 0:
        return z
    normal = torch.distributions.Normal(0.0, 1.0)
    low, high = (normal.cdf(torch.tensor(v, dtype=torch.float64)) for v in (-bound, bound))
    out: Tensor = normal.icdf(low + normal.cdf(z.double()) * (high - low)).float()
    return out


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return points [T, Z] on the great arc from a [Z] to b [Z] at t [T] in [0, 1] (Shoemake 1985); lengths are blended."""
    u, v = a / a.norm(), b / b.norm()
    omega = torch.acos((u @ v).clamp(-1, 1))
    if torch.sin(omega) < 1e-4:
        return torch.lerp(a, b, t[:, None])
    left, right = torch.sin((1 - t) * omega) / torch.sin(omega), torch.sin(t * omega) / torch.sin(omega)
    direction = left[:, None] * u + right[:, None] * v
    out: Tensor = direction * torch.lerp(a.norm(), b.norm(), t)[:, None]
    return out

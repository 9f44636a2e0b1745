"""The two players: a generator around its body, a critic around its trunk."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wgan.models.fast.input_gradient import input_gradient
from wgan.models.kernels import PLAIN, Kernels
from wgan.models.layers import Chain
from wgan.models.table_head import TableHead

HIDDEN = 128  # units between conditions and the projection of a critic


class Generator(nn.Module):
    """G(z [B, Z], y [B] or None) -> x [B, *shape]; in [-1, 1] with tanh.

    conditioning: none, product (z times an embedding of y), concat (the one-hot of y beside z), norm (in the body).
    conditions: W, where y is not a class but a vector of conditions, float [B, W], which stands in the one-hot's place.
    A generator of table rows has a head, latents for its noise beside those of the body, and, without classes, y int64
    [B, A] of what is asked of its columns.
    """

    def __init__(
        self,
        body: Chain,
        latent: int,
        conditioning: str,
        classes: int,
        tanh: bool,
        kernels: Kernels = PLAIN,
        head: TableHead | None = None,
        conditions: int = 0,
    ) -> None:
        super().__init__()
        self.conditions = conditions
        self.kernels, self.head, self.own_latent = kernels, head, latent
        latent += 0 if head is None else head.noise
        self.latent, self.classes, self.conditioning, self.tanh = latent, classes, conditioning, tanh
        self.embedding = nn.Embedding(classes, self.own_latent) if conditioning == "product" else None
        if self.embedding is not None:
            nn.init.xavier_uniform_(self.embedding.weight)  # Keras's Glorot uniform
        self.body = body

    @property
    def told(self) -> bool:
        """Whether every sample needs a y: its class, or its vector of conditions."""
        return self.classes > 0 or self.conditions > 0

    @property
    def asks(self) -> bool:
        """Whether y says what is asked of the columns of a table."""
        return self.head is not None and self.head.asked > 0

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z [B, Z], y int64 [B] (needed when conditional) -> x [B, *shape]."""
        if self.head is not None:
            return self.row(z, y)
        return self.output(z, y)

    def row(self, z: Tensor, y: Tensor | None) -> Tensor:
        """z [B, Z], y int64 [B] with classes, else int64 [B, A] or None -> rows of a table [B, D]."""
        assert self.head is not None
        own, noise = z[:, : self.own_latent], z[:, self.own_latent :]
        asked = None if self.told else y
        if self.asks:
            own = torch.cat([own, self.head.condition(asked, own)], 1)
        made: Tensor = self.head(self.output(own, y), noise, asked)
        return made

    def output(self, z: Tensor, y: Tensor | None) -> Tensor:
        """z, y as above -> what the body makes of them, after the output activation."""
        if self.embedding is not None:
            z = z * self.embedding(y)
        elif self.conditioning == "concat":
            assert y is not None
            beside = y if self.conditions else F.one_hot(y, self.classes)
            z = torch.cat([z, beside.to(z.dtype)], 1)
        made: Tensor = self.body(z, y)
        x = made.float() if made.dtype == torch.bfloat16 else made  # bf16 is too coarse near -1 and 1
        return self.kernels.tanh(x) if self.tanh else x


class ConditionProjection(nn.Module):
    """c [B, W] -> the vector that the features of a sample are projected on, by one hidden layer.

    Of a class that vector is looked up (Miyato & Koyama 2018); of numbers it has to be a function, and a linear one could not
    turn back: what is large in the middle of a range and small at both ends (Ding 2021 embeds them likewise).
    """

    def __init__(self, conditions: int, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(conditions, HIDDEN)
        self.out = nn.Linear(HIDDEN, width)

    def forward(self, c: Tensor) -> Tensor:
        """c [B, W] -> [B, width]."""
        out: Tensor = self.out(F.leaky_relu(self.hidden(c.to(self.hidden.weight.dtype)), 0.2))
        return out


class Critic(nn.Module):
    """D(x [B, *shape], y [B] or None) -> (score [B], class_logits [B, K] or None); never a sigmoid."""

    def __init__(
        self, trunk: Chain, width: int, projection_classes: int, head_classes: int, conditions: int = 0
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.score = nn.Linear(width, 1)
        self.projection: nn.Module | None = nn.Embedding(projection_classes, width) if projection_classes else None
        if isinstance(self.projection, nn.Embedding):
            nn.init.normal_(self.projection.weight, 0.0, width**-0.5)
        if conditions:
            self.projection = ConditionProjection(conditions, width)
        self.head = nn.Linear(width, head_classes) if head_classes else None

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """x [B, *shape], y int64 [B] or [B, W] for a projection critic -> score [B], class logits [B, K] or None."""
        return self.judged(self.trunk(x), y)

    def judged(self, h: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """h [B, width]: the trunk's features of x; y as above -> score [B], class logits [B, K] or None."""
        with torch.autocast(h.device.type, enabled=False):  # a score rounded to 8 bits would hide the W estimate
            h = h.to(self.score.weight.dtype)
            score = self.score(h).squeeze(1)  # [B]
            if self.projection is not None:
                score = score + (self.projection(y) * h).sum(1)
            return score, self.head(h) if self.head is not None else None

    def input_gradient(self, x: Tensor, y: Tensor | None = None) -> Tensor | None:
        """x, y as above -> the gradient of the score in x [B, n]; None where autograd has to find it."""
        return input_gradient(self.trunk, self.score, x, None if self.projection is None else self.projection(y))

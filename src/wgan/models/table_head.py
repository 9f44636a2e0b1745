"""The last layer of a generator of table rows: a one-hot and a score for each column, and what of them was asked for."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

TEMPERATURE = 0.2  # of the relaxed one-hots whose gradient stands for that of the hard ones (Xu 2019, section 4.4)
CERTAIN = 1e4  # added to the logit of a slot that was asked for


class Columns(NamedTuple):
    """Of each column that is learned the width of its one-hot (0 = none) and whether a score follows; who can be asked."""

    heads: tuple[tuple[int, bool], ...]
    choices: tuple[int, ...] = ()  # places among the heads


class TableHead(nn.Module):
    """Raw numbers [B, D] -> a row [B, D]: each one-hot hard, each score 0 outside of slot 0.

    A one-hot is the greatest of logits + Gumbel noise, a draw of its softmax; in training the gradient is that of the softmax
    at TEMPERATURE (straight through, Jang 2017). The noise comes from latents, so that a latent still says all of its sample.
    """

    place: Tensor
    starts: Tensor
    flat: Tensor
    scores: Tensor
    rest: Tensor
    choice_rows: Tensor
    choice_starts: Tensor

    def __init__(self, columns: Columns) -> None:
        super().__init__()
        self.columns = columns
        widths = [slots + scored for slots, scored in columns.heads]
        starts = [sum(widths[:i]) for i in range(len(widths))]
        hot = [i for i, (slots, _) in enumerate(columns.heads) if slots]
        self.widest = max((columns.heads[i][0] for i in hot), default=0)
        self.noise = sum(columns.heads[i][0] for i in hot)  # latents beside those of the body
        self.asked = sum(columns.heads[i][0] for i in columns.choices)  # width of the condition vector
        self.rows = len(hot)
        place = [[starts[i] + s for s in range(columns.heads[i][0])] for i in hot]  # of each slot among the D numbers
        flat = [row * self.widest + s for row, slots in enumerate(place) for s in range(len(slots))]
        gates = [(starts[i] + columns.heads[i][0], starts[i]) for i in hot if columns.heads[i][1]]
        wanted = [columns.heads[i][0] for i in columns.choices]
        self._index("place", [p for slots in place for p in slots])
        self._index("starts", [starts[i] for i in hot])
        self._index("flat", flat)
        self._index("scores", [score for score, _ in gates])
        self._index("rest", [slot for _, slot in gates])
        self._index("choice_rows", [hot.index(i) for i in columns.choices])
        self._index("choice_starts", [sum(wanted[:i]) for i in range(len(wanted))])

    def _index(self, name: str, values: list[int]) -> None:
        self.register_buffer(name, torch.tensor(values, dtype=torch.int64), persistent=False)

    def condition(self, y: Tensor | None, like: Tensor) -> Tensor:
        """y int64 [B, A], slot + 1 of each column that can be asked for, 0 = not asked -> condition vector [B, asked]."""
        vector = like.new_zeros(len(like), self.asked + 1)
        if y is not None:
            at = torch.where(y > 0, self.choice_starts + y - 1, self.asked)
            vector.scatter_(1, at, 1.0)
        return vector[:, :-1]

    def forward(self, raw: Tensor, noise: Tensor, y: Tensor | None) -> Tensor:
        """raw [B, D], noise N(0, 1) [B, noise], y as in condition() or None -> rows [B, D]."""
        if not self.rows:
            return raw
        drawn = raw.index_select(1, self.place) + gumbel(noise)
        logits = raw.new_full((len(raw), self.rows * self.widest + 1), -torch.inf).index_copy(1, self.flat, drawn)
        if y is not None:
            logits = self.insist(logits, y)
        logits = logits[:, :-1].view(len(raw), self.rows, self.widest)
        slot = logits.detach().max(2).indices  # twice as fast as argmax, and a scatter several times as fast as one_hot
        if torch.is_grad_enabled():
            soft = torch.softmax(logits / TEMPERATURE, 2)
            hot = torch.zeros_like(soft).scatter_(2, slot.unsqueeze(2), 1.0)
            hot = hot + (soft - soft.detach())  # exactly hot in value
            made = raw.index_copy(1, self.place, hot.flatten(1).index_select(1, self.flat))
        else:
            made = raw.index_fill(1, self.place, 0.0).scatter_(1, self.starts + slot, 1.0)
        if not len(self.scores):
            return made
        return made.index_copy(1, self.scores, made.index_select(1, self.scores) * made.index_select(1, self.rest))

    def insist(self, logits: Tensor, y: Tensor) -> Tensor:
        """Return logits [B, R S + 1] by which each column that is asked for gives the slot that is asked for.

        The last place takes what is not asked.
        """
        at = torch.where(y > 0, self.choice_rows * self.widest + y - 1, self.rows * self.widest)
        return logits.scatter_add(1, at, torch.full_like(at, CERTAIN, dtype=logits.dtype))


def gumbel(z: Tensor) -> Tensor:
    """Return z ~ N(0, 1) as draws of the standard Gumbel law, -ln(-ln Φ(z))."""
    out: Tensor = -torch.log(-torch.log(torch.special.ndtr(z).clamp(1e-7, 1 - 1e-6)))
    return out

"""SampleSet: samples of a model as a torch Dataset, to train something else on them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor
from torch.utils.data import Dataset

from wgan.errors import WganError
from wgan.sampling.generate import BLOCK
from wgan.sampling.latents import latent_block, require_seed
from wgan.sampling.model import Model
from wgan.sampling.rows import in_units, rows_in_units, rows_of_table

MOST = 2**31  # samples of one set
KEPT = 256 << 20  # bytes of blocks that are kept: read in any order, the newest of a larger set are made again


class SampleSet(Dataset[tuple[Tensor, Tensor] | Tensor]):
    """The samples that `model.sample(n, label, seed)` makes, each made when it is asked for, in blocks that are kept.

    set[i] is (x, y): an image float32 [C, H, W] in [-1, 1], or a row or signal float64 in the user's units, and the number of its
    class in `class_names` as int64, or its vector of conditions as float32; x alone of an unconditional model. Raises WganError
    for an n below 1 and for a label that the model does not know.
    """

    def __init__(
        self, model: Model, n: int, *, label: int | str | Sequence[int | str] | None = None, seed: int = 0
    ) -> None:
        if not 1 <= n <= MOST:
            raise WganError(f"n must be between 1 and {MOST}, not {n}")
        require_seed(seed)
        self.model, self.n, self.seed = model, n, seed
        self.labels = model.usual(n, seed) if label is None else model.labels(n, label)
        self.blocks: OrderedDict[int, Tensor] = OrderedDict()

    @property
    def class_names(self) -> list[str]:
        """The names of the classes, in the order of their numbers; empty for an unconditional model."""
        return self.model.class_names

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor] | Tensor:
        """Return one sample; IndexError beyond the last, which ends a loop over the set."""
        if not -self.n <= index < self.n:
            raise IndexError(f"sample {index} of {self.n}")
        at = index % self.n
        x = self.block(at // BLOCK)[at % BLOCK]
        return x if self.labels is None else (x, self.labels[at])

    def block(self, number: int) -> Tensor:
        """Return block `number` of BLOCK samples, fewer at the end."""
        if number not in self.blocks:
            made = self._made(number)
            while self.blocks and sum(b.nbytes for b in self.blocks.values()) + made.nbytes > KEPT:
                self.blocks.popitem(last=False)
            self.blocks[number] = made
        self.blocks.move_to_end(number)
        return self.blocks[number]

    def _made(self, number: int) -> Tensor:
        model, rows = self.model, slice(number * BLOCK, min((number + 1) * BLOCK, self.n))
        z = latent_block(self.seed, number, model.network.latent)
        samples = model.decode(z[: rows.stop - rows.start], None if self.labels is None else self.labels[rows])
        if model.table is not None:
            samples = rows_of_table(samples, model.table)
        elif model.signal is not None or model.depth is not None:
            samples = in_units(samples, model.signal or model.depth)
        elif model.units is not None:
            samples = rows_in_units(samples, model.units)
        return samples.as_subclass(Tensor)

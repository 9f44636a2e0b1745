"""Rows of tables in operations that ONNX has: what Units.restore, TableHead and Table.decode compute."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor, nn
from torch.nn import functional as F

from wgan.data.conditions import Conditions
from wgan.data.tabular.table import Column, Table
from wgan.data.units import Units
from wgan.export.onnx_told import Encoded
from wgan.models.networks import Generator
from wgan.models.table_head import CERTAIN, gumbel

CHOICES = 1e-3  # fraction of the rows in which rounding may tip the scale between two values
Array = NDArray[Any]


class Rows(nn.Module):
    """z [B, Z], label int64 [B] -> rows float64 [B, C] in the units of the data, and standardised floats [B, D]."""

    def __init__(self, network: nn.Module, units: Units | None) -> None:
        super().__init__()
        self.network, self.restore = network, nn.Identity() if units is None else Restore(units)

    def forward(self, z: Tensor, label: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return what wgan.data.units.Units.restore makes of x, and x."""
        x = self.network(z, label).float()
        rows: Tensor = self.restore(x.double())
        return rows, x


class Restore(nn.Module):
    """Standardised samples x [B, D] -> rows [B, C] in the user's units: Units.restore in operations that ONNX has.

    Its numbers are tensors: the exporter would round plain ones to 32 bits.
    """

    def __init__(self, units: Units) -> None:
        super().__init__()
        self.has_range = bool(units.low)
        ones = [0.0] * len(units.mean)
        numbers = {name: getattr(units, name) or ones for name in ("mean", "scale", "low", "high", "step")}
        kinds = [np.dtype(kind) for kind in units.kinds]
        limits = [np.iinfo(kind) if kind.kind in "iu" else None for kind in kinds]
        numbers |= {
            "least": [-np.inf if limit is None else float(limit.min) for limit in limits],
            "most": [np.inf if limit is None else float(limit.max) for limit in limits],
            "factor": [10.0**d if 0 <= d < 16 else 1.0 for d in units.decimals],
        }
        for name, values in numbers.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64))
        rounded = [kind.kind in "iu" or 0 <= d < 16 for kind, d in zip(kinds, units.decimals, strict=True)]
        self.register_buffer("rounded", torch.tensor(rounded))
        place = {column: at for at, column in enumerate(units.kept)}
        self.register_buffer("place", torch.tensor([place.get(i, 0) for i in range(len(kinds))]))

    def forward(self, x: Tensor) -> Tensor:
        """x float64 [B, D] -> rows float64 [B, C]; a constant column has scale 0."""
        n = dict(self.named_buffers())
        rows = n["mean"] + x[:, n["place"]] * n["scale"]
        if self.has_range:
            stepped = n["low"] + torch.round((rows - n["low"]) / torch.where(n["step"] > 0, n["step"], 1)) * n["step"]
            rows = torch.where(n["step"] > 0, stepped, rows)
            rows = torch.minimum(torch.maximum(rows, n["low"]), n["high"])
        rows = torch.where(n["rounded"], torch.round(rows * n["factor"]) / n["factor"], rows)
        return torch.minimum(torch.maximum(rows, n["least"]), n["most"])


def rows_apart(made: list[Array], wanted: list[Array], restore: nn.Module) -> float:
    """Return the largest difference of the numbers of (rows, numbers); infinite for rows that are not `restore` of them.

    In the user's units a difference of 1e-7 is large where a column is wide, and a whole step where rounding decides.
    """
    rows, numbers = made
    if numbers.shape != wanted[1].shape:
        return float("inf")
    restored = restore(torch.from_numpy(numbers).double()).numpy()
    if rows.shape != restored.shape or np.isclose(rows, restored, rtol=1e-9, atol=1e-9).mean() < 1 - CHOICES:
        return float("inf")
    return float((np.abs(numbers - wanted[1]) / np.maximum(1, np.abs(wanted[1]))).max(initial=0.0))


class Cell(nn.Module):
    """The one-hot and the score of one column -> its code float64 [B]: Coding.decode and Column.round."""

    def __init__(self, column: Column) -> None:
        super().__init__()
        coding = column.coding
        fixed = [*coding.spikes, *([np.nan] if coding.missing else [])]
        self.scored, self.lattice, self.slots, self.step = coding.scored, coding.lattice, coding.slots, column.step
        self.digits = column.digits if column.kind == "number" and 0 <= column.digits <= 15 else -1
        self.rounded = column.kind != "category"
        values, marks = np.array(coding.values), np.array(coding.marks)
        if self.lattice:
            marks = ndtri(marks)
        wide = np.diff(marks) > 0 if not self.lattice else np.zeros(0, np.bool_)
        slopes = np.divide(np.diff(values), np.diff(marks), out=np.zeros(len(wide)), where=wide) if len(wide) else wide
        numbers = {
            "fixed": [0.0, *fixed] if coding.scored else fixed,
            "values": values,
            "marks": marks,
            "slopes": np.append(slopes, 0.0),  # constant beyond the last
            "rounding": [column.lowest, column.step or 1.0, 10.0 ** max(0, self.digits)],
        }
        for name, some in numbers.items():
            self.register_buffer(name, torch.tensor(np.asarray(some, np.float64)))

    def forward(self, slot: Tensor, score: Tensor) -> Tensor:
        """slot int64 [B], score float32 [B] -> code [B], NaN where the cell is missing."""
        n = dict(self.named_buffers())
        code = n["fixed"][slot]
        if self.scored:
            code = torch.where(slot == 0, self.unscored(score.double()), code)
        if self.step and self.rounded:
            code = n["rounding"][0] + torch.round((code - n["rounding"][0]) / n["rounding"][1]) * n["rounding"][1]
        return torch.round(code * n["rounding"][2]) / n["rounding"][2] if self.digits >= 0 else code

    def unscored(self, z: Tensor) -> Tensor:
        """Return the code of each score float64 [B] of the rest."""
        n = dict(self.named_buffers())
        last = len(n["values"]) - 1
        if self.lattice:
            return n["values"][(n["marks"] < z[:, None]).sum(1).clamp(max=last)]
        at = ((n["marks"] <= z[:, None]).sum(1) - 1).clamp(min=0)
        inside = torch.maximum(z, n["marks"][:1])  # constant below the first
        return n["values"][at] + n["slopes"][at] * (inside - n["marks"][at])


class TableRows(nn.Module):
    """z [B, Z], what is told or asked -> rows float64 [B, C] as codes, and the numbers [B, D] they come from.

    Told: label int64 [B] or condition float64 [B, A]. Asked of the columns: int64 [B, A].
    """

    def __init__(self, network: Generator, table: Table, conditions: Conditions | None = None) -> None:
        super().__init__()
        self.network, self.table = network, table
        self.encode = nn.Identity() if conditions is None else Encoded(conditions)
        self.cells = nn.ModuleList(map(Cell, table.columns))

    def forward(self, z: Tensor, asked: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the rows, and their one-hots and scores."""
        network, asks = self.network, self.network.asks
        own, noise = z[:, : network.own_latent], z[:, network.own_latent :]
        hots = self.wanted(asked, own) if asks else []
        told = None if asked is None or not network.told else self.encode(asked)
        raw = network.output(torch.cat([own, *hots], 1), told)
        codes, numbers, at, left = [], [], 0, 0
        for i, (column, cell) in enumerate(zip(self.table.columns, self.cells, strict=True)):
            slots, scored = column.coding.slots, column.coding.scored
            slot = torch.zeros_like(z[:, 0], dtype=torch.int64)
            score = raw[:, at + slots] if scored else slot
            if slots:
                logits = raw[:, at : at + slots] + gumbel(noise[:, left : left + slots])
                if asks and i in self.table.asked:
                    logits = logits + hots[self.table.asked.index(i)] * CERTAIN
                slot = logits.argmax(1)
                hot = F.one_hot(slot, slots).to(raw.dtype)
                numbers.append(hot)
                score = score * hot[:, 0] if scored else score
            if scored:
                numbers.append(score[:, None])
            codes.append(cell(slot, score))
            at, left = at + column.coding.width, left + slots
        return torch.stack(codes, 1), torch.cat(numbers, 1)

    def wanted(self, asked: Tensor | None, like: Tensor) -> list[Tensor]:
        """Return for each column that can be asked for the one-hot [B, slots] of what is asked, zeros for nothing."""
        widths = [self.table.columns[i].coding.slots for i in self.table.asked]
        if asked is None or self.network.told:
            return [torch.zeros_like(like[:, :1]).expand(-1, width) for width in widths]
        return [F.one_hot(asked[:, a], width + 1)[:, 1:].to(like.dtype) for a, width in enumerate(widths)]


def compared(made: list[Array], wanted: list[Array], table: Table) -> float:
    """Return the largest difference of (rows, numbers) that onnxruntime made from PyTorch's numbers; infinite for other rows.

    Its rows must be what the library makes of its numbers. Where two values are nearly as likely, rounding may choose another
    one: such rows are left out, as long as they are at most CHOICES of all.
    """
    rows, numbers = made
    restored = table.decode(numbers)
    same = np.isclose(rows, restored, rtol=1e-9, atol=1e-9, equal_nan=True)
    hot = [start + s for start, slots in slots_of(table) for s in range(slots)]
    alike = (numbers[:, hot] == wanted[1][:, hot]).all(1)
    if rows.shape != restored.shape or same.mean() < 1 - CHOICES or alike.mean() < 1 - CHOICES:
        return float("inf")
    apart = np.abs(numbers - wanted[1]) / np.maximum(1, np.abs(wanted[1]))
    return float(apart[alike].max(initial=0.0))


def slots_of(table: Table) -> list[tuple[int, int]]:
    """Return where each column's one-hot begins among the numbers of a row, and its width."""
    widths = np.cumsum([0, *(c.coding.width for c in table.columns)])
    return [(int(start), c.coding.slots) for start, c in zip(widths, table.columns, strict=False)]


def described_columns(table: Table, asks: bool) -> str:
    """Return what the codes mean, as JSON: of each column name, kind, levels by number, and what can be asked for."""
    columns = []
    for i, c in enumerate(table.columns):
        about: dict[str, Any] = {"name": c.name, "kind": c.kind}
        if c.kind == "category":
            about["levels"] = list(c.levels)  # code k is level k
        if c.kind == "date":
            about["format"] = c.form  # the code is seconds since 1970
        if asks and i in table.asked:
            first = int(c.coding.scored)  # of a category the slot before: the rare levels together
            texts = [*[None] * first, *map(c.text, c.coding.spikes), *[c.mark] * c.coding.missing]
            about["asked"] = texts  # in the input `asked` 1 asks for the first, 0 for nothing
        columns.append(about)
    return json.dumps(columns)

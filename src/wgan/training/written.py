"""The updates of two plain MLPs written out: forward and backward over buffers that are kept, without autograd's graph.

a_k = W_k h_(k-1) + b_k, h_k = s_k(a_k) with s ReLU or LeakyReLU, the last layer without s. With d_k the gradient at a_k:
d_(k-1) = (W_k^T d_k) * s'(a_(k-1)), dW_k = d_k h_(k-1)^T, db_k = d_k. A gradient penalty P(u) of u = W_1^T d_1, where d
begins with 1 at the score, has s' constant: with c_0 = dP/du and c_k = (W_k c_(k-1)) * s'(a_k) it adds d_k c_(k-1)^T to dW_k
and nothing to db_k. So the points go through both passes beside real and fake, c_k takes the place of their h_k, and one
product for each layer gives the whole gradient. Only what has as many numbers as there are samples is left to autograd.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wgan.config import Config
from wgan.engine import Engine
from wgan.losses import Objective, critic_term, generator_term, linear_fake, linear_generator, linear_real, safe_norms
from wgan.models.fast.input_gradient import plain_layers
from wgan.models.fast.linear import product
from wgan.models.layers import Chain, Dense
from wgan.models.networks import Critic, Generator

Stats = dict[str, Tensor | float]
MINUS_ONE = torch.tensor(-1.0)


class Layer(NamedTuple):
    """One fully connected layer; slope: of its activation below 0, None without one."""

    weight: Tensor
    bias: Tensor
    slope: float | None


@dataclass
class Mlp:
    """One network: its layers, whose library multiplies, and the buffers of each number of rows."""

    layers: list[Layer]
    library: str  # onednn or mkl
    kept: dict[tuple[str, int], list[Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.weights = [layer.weight.detach() for layer in self.layers]
        self.turned = [weight.t() for weight in self.weights]  # a view at each call costs as much as a small product
        self.slopes = [(torch.empty_like(layer.weight), torch.empty_like(layer.bias)) for layer in self.layers]

    def buffers(self, purpose: str, rows: int) -> list[Tensor]:
        """Return one buffer [rows, n] for the input and for what each layer makes."""
        if (purpose, rows) not in self.kept:
            first = self.weights[0]
            widths = [first.shape[1], *map(len, self.weights)]
            self.kept[purpose, rows] = [first.new_empty(rows, n) for n in widths]
        return self.kept[purpose, rows]

    def times(self, a: Tensor, b: Tensor, bias: Tensor | None, out: Tensor) -> Tensor:
        """a [m, k], b [k, n] -> a b (+ bias) [m, n], in `out` where the library can."""
        if self.library == "onednn" and a.dtype == torch.float32:
            return product(a, b.t(), bias, "onednn")
        return torch.mm(a, b, out=out) if bias is None else torch.addmm(bias, a, b, out=out)

    def forward(self, h: list[Tensor]) -> None:
        """Fill h_1 ... from h_0."""
        for k, layer in enumerate(self.layers, 1):
            h[k] = self.times(h[k - 1], self.turned[k - 1], layer.bias, h[k])
            if layer.slope is not None:
                torch.nn.functional.leaky_relu_(h[k], layer.slope) if layer.slope else h[k].relu_()

    def backward(self, h: list[Tensor], d: list[Tensor]) -> None:
        """Fill d_(m-1) ... d_1 from d_m."""
        for k in range(len(self.layers), 1, -1):
            d[k - 1] = self.times(d[k], self.weights[k - 1], None, d[k - 1])
            masked(d[k - 1], h[k - 1], self.layers[k - 2].slope, d[k - 1])

    def to_input(self, d: Tensor, out: Tensor) -> Tensor:
        """d_1 [rows, n] -> the gradient of the input."""
        return self.times(d, self.weights[0], None, out)

    def turn(self, h: list[Tensor], d: list[Tensor], at: int) -> None:
        """Put c_k in the place of h_k for the rows from `at` on, of which h_0 holds c_0 already; d_k are free to be used."""
        for k, layer in enumerate(self.layers[:-1], 1):
            c = self.times(h[k - 1][at:], self.turned[k - 1], None, self.buffers("turned", len(h[0]) - at)[k])
            masked(c, h[k][at:], layer.slope, h[k][at:])

    def gradients(self, h: list[Tensor], d: list[Tensor], rows: int) -> None:
        """Set the gradient of every weight: of the first `rows` rows those of biases, of all rows those of weights."""
        for k, (layer, (slope, of_bias)) in enumerate(zip(self.layers, self.slopes, strict=True), 1):
            turned = d[k].t()
            layer.weight.grad = self.times(turned, h[k - 1], None, slope)
            if k < len(self.layers):
                layer.bias.grad = torch.mv(turned[:, :rows], self.ones(rows), out=of_bias)  # in a fifth of a sum's time
            else:  # those of pairs cancel, and only a sum in order leaves no more than Adam's epsilon
                layer.bias.grad = torch.sum(d[k][:rows], 0, out=of_bias)

    def ones(self, rows: int) -> Tensor:
        """Return as many ones."""
        if ("ones", rows) not in self.kept:
            self.kept["ones", rows] = [self.weights[0].new_ones(rows)]
        return self.kept["ones", rows][0]


def masked(g: Tensor, h: Tensor, slope: float | None, out: Tensor) -> None:
    """out = g * s'(a), by the sign of h = s(a); `out` may be g or h."""
    if slope is None:
        out.copy_(g)
    elif slope:
        torch.ops.aten.leaky_relu_backward.grad_input(g, h, slope, True, grad_input=out)
    else:
        torch.ops.aten.threshold_backward.grad_input(g, h, 0, grad_input=out)


@dataclass
class Written:
    """Both players' updates, where both are plain MLPs."""

    critic: Mlp
    generator: Mlp
    tanh: bool
    objective: Objective
    shape: tuple[int, ...]  # of one sample

    @torch.no_grad()
    def critic_loss(self, sides: Mapping[str, Tensor], points: Tensor | None, weight: float) -> Stats:
        """Set the critic's gradients for sides [B, *shape] and penalty points; return its statistics."""
        rows = sum(len(x) for x in sides.values())
        seen = [x.flatten(1) for x in (*sides.values(), *([] if points is None else [points]))]
        total = sum(map(len, seen))
        h, d = [*self.critic.buffers("forward", total)], [*self.critic.buffers("backward", total)]
        torch.cat(seen, out=h[0])
        self.critic.forward(h)
        scores = dict(zip(sides, h[-1][:rows, 0].split([len(x) for x in sides.values()]), strict=True))
        means = {side: s.mean() for side, s in scores.items()}
        loss, gradients = critic_loss_gradients(self.objective, scores, means)
        stats: Stats = {f"critic/{side}": mean for side, mean in means.items()}
        torch.cat([*gradients, *([] if points is None else [torch.ones_like(h[-1][rows:, 0])])], out=d[-1].squeeze(1))
        self.critic.backward(h, d)
        if points is not None:
            u = self.critic.to_input(d[1][rows:], self.critic.buffers("turned", total - rows)[0])
            penalty, norms, toward = self.penalty(u, weight)
            stats |= {"critic/penalty": penalty, "critic/slope": norms.mean()}
            loss = loss + penalty
            h[0][rows:].copy_(toward)
            self.critic.turn(h, d, rows)
        self.critic.gradients(h, d, rows)
        name = "critic/loss" if len(sides) == 2 else f"critic/loss_{next(iter(sides))}"
        return {name: loss, **stats}

    def penalty(self, u: Tensor, weight: float) -> tuple[Tensor, Tensor, Tensor]:
        """u [P, n] -> the mean penalty, the norms [P], and the penalty's gradient in u."""
        assert self.objective.penalty is not None
        with torch.enable_grad():
            norms = safe_norms(u.detach()).requires_grad_(True)
            penalty = self.objective.penalty(norms, weight).mean()
        (slope,) = torch.autograd.grad(penalty, norms)
        lengths = torch.where(norms == 0, 1.0, norms.detach())  # the derivative of a norm at 0 is 0
        return penalty.detach(), norms.detach(), u * (slope / lengths)[:, None]

    @torch.no_grad()
    def fakes(self, z: Tensor) -> Tensor:
        """z [B, Z] -> G(z) [B, *shape], in a buffer that the next call for as many writes over."""
        h = [*self.generator.buffers("made", len(z))]
        h[0] = z
        return self.made(h).view(-1, *self.shape)

    def made(self, h: list[Tensor]) -> Tensor:
        """Fill h_1 ... from the latents h_0; return the samples."""
        self.generator.forward(h)
        x = h[-1]
        if not self.tanh:
            return x
        return torch.add(MINUS_ONE, x.mul_(2).sigmoid_(), alpha=2, out=x)  # tanh a = 2 sigmoid(2 a) - 1

    @torch.no_grad()
    def generator_loss(self, z: Tensor) -> Stats:
        """Set the generator's gradients for latents z [B, Z]; return its statistics."""
        h, d = [*self.generator.buffers("forward", len(z))], [*self.generator.buffers("backward", len(z))]
        h[0] = z
        x = self.made(h)
        seen, back = [*self.critic.buffers("judged", len(z))], [*self.critic.buffers("judging", len(z))]
        seen[0] = x
        self.critic.forward(seen)
        loss, gradient = generator_loss_gradient(self.objective, seen[-1][:, 0])
        back[-1].copy_(gradient[:, None])
        self.critic.backward(seen, back)
        d[-1] = self.critic.to_input(back[1], d[-1])
        if self.tanh:
            torch.ops.aten.tanh_backward.grad_input(d[-1], x, grad_input=d[-1])
        self.generator.backward(h, d)
        self.generator.gradients(h, d, len(z))
        return {"generator/loss": loss, "generator/score": seen[-1].mean()}


def critic_loss_gradients(
    o: Objective, scores: Mapping[str, Tensor], means: Mapping[str, Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the critic's loss and its gradient in the scores [B] of each side, whose means are known."""
    if o.real is linear_real and o.fake is linear_fake:  # autograd takes as long for -1 / B and 1 / B as for a product
        signs = {"real": -1.0, "fake": 1.0}
        gradients = tuple(torch.full_like(s, signs[side] / len(s)) for side, s in scores.items())
        halves = [signs[side] * mean for side, mean in means.items()]
        return halves[0] if len(halves) == 1 else halves[0] + halves[1], gradients
    leaves = {side: s.detach().requires_grad_(True) for side, s in scores.items()}
    with torch.enable_grad():
        loss = critic_term(o, leaves.get("real"), leaves.get("fake"))
    return loss.detach(), torch.autograd.grad(loss, [*leaves.values()])


def generator_loss_gradient(o: Objective, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Return the generator's loss and its gradient in the fakes' scores [B]."""
    if o.generator is linear_generator:
        return generator_term(o, scores), torch.full_like(scores, -1.0 / len(scores))
    leaf = scores.detach().requires_grad_(True)
    with torch.enable_grad():
        loss = generator_term(o, leaf)
    return loss.detach(), torch.autograd.grad(loss, leaf)[0]


def written(
    c: Config,
    engine: Engine,
    o: Objective,
    generator: nn.Module,
    critic: nn.Module,
    learning: Sequence[nn.Parameter] = (),
) -> Written | None:
    """Return the updates written out; None where autograd has to find the gradients.

    learning: weights of the critic that the generator's update moves, too.
    """
    if not c.fast or c.compile or c.microbatch or learning or engine.device.type != "cpu" or engine.precision == "bf16":
        return None
    judge, maker = critic_layers(critic), generator_layers(generator)
    if judge is None or maker is None:
        return None
    library = engine.ways.linear
    return Written(Mlp(judge, library), Mlp(maker, library), bool(generator.tanh), o, shape_made(generator))


def shape_made(generator: nn.Module) -> tuple[int, ...]:
    """Return the shape of one sample of a plain MLP generator."""
    assert isinstance(generator, Generator) and isinstance(generator.body, Chain)
    last = generator.body.layers[-1]
    assert isinstance(last, nn.Unflatten)
    return tuple(last.unflattened_size)


def critic_layers(critic: nn.Module) -> list[Layer] | None:
    """Return the layers of a plain MLP critic with its score; None for any other."""
    if type(critic) is not Critic or critic.projection is not None or critic.head is not None:
        return None
    trunk = plain_layers(critic.trunk)
    if not trunk or type(critic.score) is not nn.Linear:
        return None
    return [*layers(trunk), Layer(critic.score.weight, critic.score.bias, None)]


def generator_layers(generator: nn.Module) -> list[Layer] | None:
    """Return the layers of a plain MLP generator; None for any other."""
    if type(generator) is not Generator or generator.told or generator.head is not None:
        return None
    if type(generator.body) is not Chain or type(generator.body.layers[-1]) is not nn.Unflatten:
        return None
    *hidden, last, _ = generator.body.layers
    first = plain_layers(Chain([nn.Flatten(), *hidden]))
    if first is None or type(last) is not Dense:
        return None
    return [*layers(first), Layer(last.weight, last.bias, None)]


def layers(plain: Sequence[tuple[Dense, float]]) -> list[Layer]:
    """Return the layers of a plain MLP's fully connected modules, each with its activation's slope."""
    return [Layer(dense.weight, dense.bias, slope) for dense, slope in plain]

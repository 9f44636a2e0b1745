"""The look at a caller's own parts before the first step: each kind of fault has a sentence, and sound parts have none."""

import functools

import pytest
import torch
from helpers.problems import EXACT, images, images_config, points, points_config
from torch import nn

from wgan.engine import make_engine
from wgan.errors import WganError
from wgan.losses import Objective, linear_fake, linear_generator, linear_real, two_sided
from wgan.training.given import Given, divided
from wgan.training.monitor import Monitor
from wgan.training.own_networks import ROWS
from wgan.training.players import make_players
from wgan.training.rehearsal import rehearse

SINGLE = make_engine("cpu", "fp32", 1)
POINTS = points_config(objective="gan", latent=3)
IMAGES = images_config(objective="wgan-gp", latent=3, class_critic=0, class_generator=0)


class Network(nn.Module):
    """A module of one weight around a function f(weight, x, y)."""

    def __init__(self, function, **modules):
        super().__init__()
        self.weight, self.function = nn.Parameter(torch.full((1,), 0.5)), function
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x, y):
        return self.function(self, x, y)


def plane(net, z, y):
    return net.weight * z[:, :2]


def picture(net, z, y):
    return torch.tanh(net.weight * z[:, :1, None, None].expand(-1, 1, 8, 8))


def score(net, x, y):
    return net.weight * x.flatten(1).sum(1), None


def built(config, source, **given):
    """Players with own parts, after their rehearsal."""
    p = make_players(config, SINGLE, source, Given(**given))
    rehearse(p, source)
    return p


@pytest.mark.parametrize(("config", "source", "made"), [(POINTS, points(), plane), (IMAGES, images(), picture)])
def test_sound_parts_pass_and_are_described(config, source, made):
    p = built(
        config, source, generator=Network(made), critic=Network(score), optimizer=lambda w: torch.optim.Adagrad(w, 0.3)
    )
    assert (p.config.generator, p.config.critic, p.config.optimizer) == ("own", "own", "own")
    assert (p.config.lr, p.config.generator_norm, p.config.critic_norm, p.generator.classes) == (0.3, "none", "none", 0)
    assert p.generator.module.weight.item() == 0.5 and not p.generator_optimizer.state_dict()["state"][0]["step"]


def test_a_look_sees_used_labels_and_mixed_batches():
    labelled = Network(
        lambda n, z, y: torch.tanh(n.look(y)[:, :, None, None] + z.mean() * n.weight), look=nn.Embedding(3, 64)
    )
    labelled.function = lambda n, z, y: torch.tanh(n.look(y).view(-1, 1, 8, 8) + z.mean() * n.weight)
    p = built(IMAGES, images(), generator=labelled)
    assert p.generator.classes == 3 and p.config.generator_norm == "batch"
    normed = Network(lambda n, x, y: (n.norm(x).flatten(1).sum(1) * n.weight, None), norm=nn.BatchNorm2d(1))
    assert built(IMAGES.replace(objective="hinge"), images(), critic=normed).config.critic_norm == "batch"
    with pytest.raises(WganError, match="depends on its whole batch"):
        built(IMAGES, images(), critic=normed)
    assert built(IMAGES.replace(penalty_weight=0), images(), critic=normed)


def nan(net, x, y):
    return net.weight * x.flatten(1).sum(1) * float("nan"), None


def lazy():
    return nn.Sequential(nn.LazyLinear(2))


def tied():
    net = Network(score, a=nn.Linear(2, 2), b=nn.Linear(2, 2))
    net.b.weight = net.a.weight
    return net


def frozen():
    return Network(score).requires_grad_(False)


def sick():
    net = Network(score)
    net.weight.data.fill_(float("inf"))
    return net


class Extra(Network):
    def get_extra_state(self):
        return {"steps": 3}


class Single(Network):
    def __deepcopy__(self, memo):
        raise RuntimeError("only one of these")


GENERATORS = [
    (lambda n, z, y: (plane(n, z, y),), r"generator returned a tuple: it must return samples \[4, 2\]"),
    (lambda n, z, y: n.weight * z, r"generator made \[4, 3\] of z \[4, 3\], and the data are \[4, 2\]"),
    (lambda n, z, y: plane(n, z, y)[:1], r"generator made \[1, 2\]"),
    (lambda n, z, y: (n.weight * z[:, :2]).long(), "generator made torch.int64 numbers"),
    (lambda n, z, y: n.weight * z[:, :2] / 0, "generator made NaN or infinity on the first batch"),
    (lambda n, z, y: z @ torch.zeros(7, 2), r"failed when called with z \[4, 3\] and y None: RuntimeError: mat1"),
    (lambda n, z, y: plane(n, z, y).detach() + 0 * z[:, :2], "no gradient reaches the generator's weights"),
]


@pytest.mark.parametrize(("function", "words"), GENERATORS)
def test_a_generator_that_cannot_work_is_refused(function, words):
    with pytest.raises(WganError, match=words):
        built(POINTS, points(), generator=Network(function))


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Sequential(nn.Linear(3, 2)), "generator failed when called with z .* takes 2 positional arguments but 3"),
        (nn.Identity(), "generator has no parameters"),
        (frozen(), "generator has only frozen parameters"),
        (lazy(), "generator has lazy layers"),
        (sick(), "generator holds NaN or infinity in weight"),
        (tied(), "one tensor under two names, a.weight and b.weight"),
        (Single(plane), "generator cannot be copied, and the run trains a copy of it: only one of these"),
        (Extra(plane), "keeps _extra_state, which is not a tensor"),
    ],
)
def test_a_module_that_cannot_be_trained_or_saved_is_refused(module, words):
    with pytest.raises(WganError, match=words):
        built(POINTS, points(), generator=module)


def test_images_out_of_range_are_refused():
    wide = Network(lambda n, z, y: 300 * picture(n, z, y))
    with pytest.raises(
        WganError, match=r"made values from -[\d.]+ to [\d.]+, and images are in \[-1, 1\]: end it with nn.Tanh"
    ):
        built(IMAGES, images(), generator=wide)
    assert built(POINTS, points(), generator=Network(lambda n, z, y: 300 * plane(n, z, y)))


CRITICS = [
    (lambda n, x, y: score(n, x, y)[0], r"critic returned \[1\], one tensor: it must return two things"),
    (lambda n, x, y: (n.weight * x.flatten(1), None), r"scores of a batch of 1 are \[1, 64\]: they must be \[1\]"),
    (
        lambda n, x, y: ((n.weight * x.flatten(1).sum(1, True)).squeeze(), None),
        r"scores of a batch of 1 are \[\]: they must be",
    ),
    (lambda n, x, y: (score(n, x, y)[0], "none"), "class logits are a str"),
    (nan, "critic scored NaN or infinity"),
    (lambda n, x, y: (score(n, x, y)[0].sigmoid(), None), "ends in a sigmoid"),
    (lambda n, x, y: (torch.sigmoid(score(n, x, y)[0][:, None]).squeeze(1), None), "ends in a sigmoid"),
    (lambda n, x, y: score(n, x.data.mul_(2), y), "changes its input in place"),
    (lambda n, x, y: score(n, x.detach(), y), "the critic's first update failed"),
    (lambda n, x, y: (score(n, x, y)[0].detach(), None), "no gradient reaches the critic's weights"),
    (lambda n, x, y: 1 / 0, r"failed when called with x \[1, 1, 8, 8\] and y \[1\]: ZeroDivisionError"),
]


@pytest.mark.parametrize(("function", "words"), CRITICS)
def test_a_critic_that_cannot_work_is_refused(function, words):
    with pytest.raises(WganError, match=words):
        built(IMAGES, images(), critic=Network(function))


def test_missing_or_wrong_class_logits_are_refused():
    config = IMAGES.replace(class_critic=1.0)
    with pytest.raises(
        WganError, match=r"no class logits, and class_critic 1 .* \[B, 3\]: return them, or set both to 0"
    ):
        built(config, images(), critic=Network(score))
    few = Network(lambda n, x, y: (score(n, x, y)[0], n.weight * x[:, 0, 0, :2]))
    with pytest.raises(WganError, match=r"class logits are \[1, 2\], and the data have 3 classes"):
        built(config, images(), critic=few)
    right = Network(lambda n, x, y: (score(n, x, y)[0], n.weight * x[:, 0, 0, :3]))
    assert built(config, images(), critic=right)
    assert built(config, images(classes=0), critic=Network(score))


class Batches(torch.optim.SGD):
    """An optimizer that remembers a list."""

    def step(self, closure=None):
        super().step()
        for group in self.param_groups:
            for w in group["params"]:
                self.state[w]["history"] = [1]


OPTIMIZERS = [
    (lambda w: None, "optimizer returned a NoneType"),
    (lambda w: torch.optim.SGD(w[:1], 0.1), r"moves 1 of the generator's \d+ weights, and 0 others"),
    (lambda w: torch.optim.SGD([*w, nn.Parameter(torch.zeros(1))], 0.1), "and 1 others"),
    (lambda w: torch.optim.SGD(w, -1.0), "optimizer failed for the generator's weights: ValueError"),
    (lambda w: torch.optim.LBFGS(w), "the critic's first update failed: TypeError: .*closure"),
    (lambda w: Batches(w, 0.1), "keeps a list in its state .*history"),
    (lambda w: torch.optim.SGD(w, 1e38), "NaN or infinity in"),
]


@pytest.mark.parametrize(("maker", "words"), OPTIMIZERS)
def test_an_optimizer_that_cannot_work_is_refused(maker, words):
    with pytest.raises(WganError, match=words):
        built(POINTS.replace(objective="wgan-gp"), points(), optimizer=maker)


class Ending(torch.optim.SGD):
    """An optimizer whose step leaves no number: what the step itself measured is still finite."""

    def step(self, closure=None):
        for group in self.param_groups:
            for w in group["params"]:
                w.data.fill_(float("nan"))


def test_a_step_that_leaves_no_numbers_is_refused():
    pair = (functools.partial(Ending, lr=0.1), functools.partial(torch.optim.SGD, lr=0.1))
    with pytest.raises(WganError, match="the first step gives NaN or infinity in generator"):
        built(POINTS, points(), optimizer=pair)


def test_a_pair_of_optimizers_serves_generator_and_critic():
    pair = (functools.partial(torch.optim.SGD, lr=0.25), functools.partial(torch.optim.Adam, lr=0.125))
    p = built(POINTS, points(), optimizer=pair)
    assert type(p.generator_optimizer) is torch.optim.SGD and type(p.critic_optimizer) is torch.optim.Adam
    assert (p.config.lr, p.config.critic_lr) == (0.25, 0.125)


OBJECTIVES = [
    (Objective(linear_real, linear_fake, lambda s: -s.mean()), r"generator term of 4 scores is \[\]: it must be \[4\]"),
    (Objective(lambda s: s.detach(), linear_fake, linear_generator), "real term does not depend on the scores"),
    (Objective(linear_real, lambda s: s.log(), linear_generator), "fake term of scores from -1 to 1 is not finite"),
    (
        Objective(linear_real, linear_fake, linear_generator, lambda n, w: (w * n).mean()),
        r"penalty of 4 gradient norms is \[\]",
    ),
    (Objective(linear_real, linear_fake, linear_generator, two_sided, "between"), "points 'between' are not known"),
    (
        Objective(linear_real, linear_fake, linear_generator, two_sided, lambda r, f, d: r[:1]),
        r"points of batches \[4, 2\] are",
    ),
    (
        Objective(linear_real, lambda a, b: a, linear_generator),
        "objective's fake term in the first update failed: TypeError",
    ),
]


@pytest.mark.parametrize(("objective", "words"), OBJECTIVES)
def test_an_objective_that_cannot_work_is_refused(objective, words):
    with pytest.raises(WganError, match=words):
        built(POINTS, points(), objective=objective)


def test_an_objective_says_which_options_it_excludes():
    """By what it is."""
    penalised = Objective(linear_real, linear_fake, linear_generator, two_sided, lambda r, f, d: (r + f) / 2)
    assert built(POINTS, points(), objective=penalised).config.objective == "own"
    with pytest.raises(WganError, match="critic_norm batch with objective own"):
        built(POINTS.replace(critic_norm="batch"), points(), objective=penalised)
    with pytest.raises(WganError, match="critic_update separate"):
        built(POINTS.replace(critic_update="separate"), points(), objective=penalised)
    with pytest.raises(WganError, match="depends on the whole batch"):
        built(POINTS.replace(microbatch=4), points(), objective=penalised)
    clipping = Objective(linear_real, linear_fake, linear_generator, clips=True)
    ours = built(POINTS, points(), objective=clipping)
    own = built(POINTS, points(), objective=clipping, critic=Network(score, norm=nn.LayerNorm(2)))
    assert len(ours.clipped) == len([*ours.critic.parameters()]) and own.clipped == [own.critic.module.weight]


def test_own_parts_work_in_double_precision():
    p = make_players(IMAGES, EXACT, images(), Given(generator=Network(picture), critic=Network(score)))
    rehearse(p, images())
    assert p.generator.module.weight.dtype == torch.float64 and ROWS > 1


def test_an_option_beside_the_part_it_describes_is_refused():
    with pytest.raises(WganError, match="dropout describes wgan's own critic"):
        divided({"critic": Network(score), "dropout": 0.3})
    assert divided({"critic": None, "batch": 8}) == (Given(), {"batch": 8})


def test_an_own_networks_draws_are_fixed_when_measured():
    """And when sampled."""
    noisy = Network(lambda n, x, y: (score(n, x + torch.rand_like(x), y)[0], None))
    p = built(POINTS, points(), critic=noisy, generator=Network(lambda n, z, y: plane(n, z, y) + torch.rand(len(z), 2)))
    source = points()
    monitor = Monitor(p.config, source)
    monitor.held_out = source
    monitor.reals = source.batch(torch.arange(20))
    one = monitor.gaps(p, monitor.fakes(p, 20, None))
    torch.rand(1)
    assert monitor.gaps(p, monitor.fakes(p, 20, None)) == one
    x = source.batch(torch.arange(4))[0]
    assert not torch.equal(p.critic(x)[0], p.critic(x)[0]), "in training each pass draws anew"

"""Your own generator, critic, objective and optimizer in two processes: the run of one process, or a refusal."""

import pytest
from helpers import group_workers as workers
from helpers.problems import EXACTLY, farthest
from helpers.process_group import Together
from safetensors.torch import load_file

from wgan.distributed.group import Group
from wgan.runs import checkpoint

STEPS = 4


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    first, second = Together(folder, 2, workers.all_own, str(folder), STEPS).results()
    assert first == second
    return folder, first


@pytest.mark.parametrize("name", workers.OWN)
def test_own_parts_in_two_processes_are_those_in_one(name, two):
    folder, statistics = two
    p, stats = workers.own_steps(name, Group(), STEPS)
    one, many = checkpoint.flatten(workers.state.state(p)), load_file(folder / f"{name}.safetensors")
    distance, where = farthest(one, many, p.config)
    assert distance < EXACTLY, where
    assert stats == pytest.approx(statistics[name], rel=1e-9, abs=1e-11)
    begun, _ = workers.own_steps(name, Group(), 1)
    assert farthest(checkpoint.flatten(workers.state.state(begun)), many, p.config)[0] > 1e-4


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("noise", "draws random numbers"),
        ("maps", "draws random"),
        ("mean", "looks at its whole batch"),
        ("untracked", "looks at"),
    ],
)
def test_what_processes_cannot_share_is_refused(name, words, tmp_path):
    said = Together(tmp_path, 2, workers.own_refused, name).results()
    assert all(text.startswith(f"generator {words}") for text in said), said

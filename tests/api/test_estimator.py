"""wgan.Generator has scikit-learn's shape: its own checks pass, and samples are in the units of the data."""

import copy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

import wgan
from wgan.errors import WganError
from wgan.training import recorder

TINY = {"generator_layers": "8", "critic_layers": "8", "latent": 2, "n_critic": 1, "threads": 1}
pytestmark = pytest.mark.usefixtures("cache", "cheap")


@pytest.fixture
def quick(monkeypatch):
    """Runs that draw and log next to nothing: scikit-learn's checks fit some sixty times."""
    monkeypatch.setattr(recorder, "draw_grid", lambda *a: None)


def table(n=60, seed=0):
    """Rows of two columns far apart in size: about 1000 and about 0.01."""
    rng = np.random.default_rng(seed)
    return np.stack([1000 + 5 * rng.standard_normal(n), 0.01 * rng.standard_normal(n)], 1)


def generator(**params):
    return wgan.Generator(**{"steps": 2, "batch": 8, "options": TINY, **params})


def test_scikit_learns_own_checks_pass(quick):
    found = check_estimator(generator(steps=1), on_fail=None, on_skip=None)
    failed = {f["check_name"]: f["exception"] for f in found if f["status"] == "failed"}
    assert not failed, failed
    assert sum(f["status"] == "passed" for f in found) > 30


def test_samples_are_in_the_units_of_the_data_and_repeat(here):
    made = generator(random_state=3).fit(table())
    samples = made.sample(200, random_state=5)
    assert (
        samples.shape == (200, 2)
        and samples[:, 0].min() > 900
        and samples[:, 0].max() < 1100
        and abs(samples[:, 1]).max() < 1
    )
    assert np.array_equal(samples[:7], made.sample(7, random_state=5)) and not np.array_equal(samples, made.sample(200))
    assert wgan.open_run(made.run_).config.seed == 3 and made.n_features_in_ == 2
    assert list(here.iterdir()) == []


def test_score_is_minus_a_distance_and_ranks_data(here):
    made = generator().fit(table())
    near, far = made.score(made.sample(60, random_state=9)), made.score(table() + np.array([500, 0]))
    assert far < near <= 0
    with pytest.raises(WganError, match="X has 3 features, but Generator is expecting 2"):
        made.score(np.ones((5, 3)))


def test_images_and_classes(here):
    x = np.random.default_rng(0).integers(0, 256, (48, 8, 8), dtype=np.uint8)
    y = np.array(["a", "b"] * 24)
    options = {
        "generator": "mlp",
        "generator_layers": "8",
        "critic": "mlp",
        "critic_layers": "8",
        "latent": 2,
        "threads": 1,
    }
    made = generator(conditional=True, options=options, run=here / "kept").fit(x, y)
    images = made.sample(5, label="b")
    assert images.shape == (5, 8, 8) and images.dtype == np.uint8 and list(made.classes_) == ["a", "b"]
    assert made.score(x) < 0 and made.run_ == str(here / "kept") and wgan.open_run(here / "kept").facts.classes == 2
    with pytest.raises(WganError, match="requires y"):
        generator(conditional=True).fit(x)


def test_parameters_are_read_set_and_cloned():
    made = generator(random_state=4)
    twin = clone(made)
    assert (
        twin.get_params() == made.get_params() and twin is not made and repr(clone(wgan.Generator())) == "Generator()"
    )
    assert made.set_params(steps=7).steps == 7 and twin.steps == 2 and "steps=7" in repr(made)
    with pytest.raises(ValueError, match="Invalid parameter 'stepz'"):
        made.set_params(stepz=1)
    with pytest.raises(WganError, match="not fitted yet"):
        made.sample()


def test_a_temporary_run_goes_with_the_last_copy(here):
    made = generator().fit(table())
    first, samples = Path(made.run_), made.sample(3)
    again, fresh = copy.deepcopy(made), clone(made)
    del made
    assert np.array_equal(again.sample(3), samples) and "run_" not in vars(fresh)
    again.fit(table(seed=1))
    second = Path(again.run_)
    assert second.is_dir() and second != first and not first.exists()
    del again
    assert not second.exists()


def test_a_run_folder_that_was_named_stays(here):
    generator(run=here / "kept").fit(table())
    assert wgan.open_run(here / "kept").step == 2


def test_an_option_that_is_unknown_is_one_of_wgans_sentences():
    with pytest.raises(WganError, match="did you mean n_critic"):
        generator(options={"n_critc": 3}).fit(table())


def test_fit_is_silent_unless_asked(capsys):
    generator().fit(table())
    assert capsys.readouterr().out == ""
    generator(verbose=True).fit(table())
    assert "step 2/2" in capsys.readouterr().out


def test_scikit_learn_is_not_needed():
    code = (
        "import sys; sys.modules['sklearn'] = None; import wgan; print(wgan.Generator(steps=3).get_params()['steps'])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "3\n"

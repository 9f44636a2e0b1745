"""Models with conditions, taken along: the page, the ONNX file and the server ask for them as `wgan sample --given` does."""

import json

import numpy as np
import pytest
import torch
from helpers.models import TOLD, given_numbers, untrained
from helpers.pages import in_node, needs_node, page_of

import wgan
from wgan.export.onnx_told import Encoded, spread
from wgan.sampling.latents import latents

CONDITIONS = given_numbers()


def told(kind):
    shape, options = TOLD[kind]
    return untrained(shape, conditions=CONDITIONS, **options)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on points with conditions."""
    draw = np.random.default_rng(0)
    energy, kind = draw.uniform(10, 90, 150), np.arange(150) % 2
    x = np.stack([energy + draw.normal(size=150), kind + draw.normal(size=150)], 1)
    data = {"samples": x, "energy": energy, "kind": np.array(["muon", "pion, charged"])[kind]}
    small = {"steps": 2, "batch": 8, "threads": 1, "generator_layers": "8", "critic_layers": "8"}
    return wgan.train(data=data, run=tmp_path_factory.mktemp("told") / "run", conditions="energy,kind", **small)


@pytest.fixture(scope="module")
def table_run(tmp_path_factory):
    """A run on a table of which two columns are conditions."""
    folder = tmp_path_factory.mktemp("told")
    rows = [f"{i % 40},{'red' if i % 3 else 'blue'},{i // 2},{'mn'[i % 2]}" for i in range(120)]
    (folder / "t.csv").write_text("\n".join(["x,colour,age,sex", *rows]))
    small = {"steps": 2, "batch": 10, "threads": 1, "generator_layers": "8", "critic_layers": "8"}
    return wgan.train(data=str(folder / "t.csv"), run=folder / "run", conditions="age,sex", **small)


def codes_everywhere(n):
    """Return codes [n, 3]: every level, and numbers from the least to the greatest."""
    return spread(CONDITIONS, n).numpy()


def test_codes_reach_every_level_and_both_ends():
    codes = codes_everywhere(1000)
    energy, count, _ = CONDITIONS.columns
    assert set(codes[:, 2]) == {0, 1, 2} and len({*map(tuple, codes)}) == 1000
    for column, c in ((codes[:, 0], energy), (codes[:, 1], count)):
        assert c.low <= column.min() < c.low + 0.01 * c.scale and c.high - 0.01 * c.scale < column.max() <= c.high


# --- ONNX -------------------------------------------------------------------------------------------------------------


def test_conditions_are_encoded_as_the_library_encodes_them():
    codes = codes_everywhere(500)
    assert np.array_equal(Encoded(CONDITIONS)(torch.from_numpy(codes)).numpy(), CONDITIONS.encode(codes))


def exported(model, out, **options):
    """Return what is said of the ONNX file of a model, and a function that runs it."""
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    from wgan.export.onnx import export_onnx

    said = export_onnx(model, out, **options)
    return said, onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("kind", ["resnet", "concat", "vectors"])
def test_the_onnx_file_takes_conditions_in_the_users_units(kind, tmp_path):
    model = told(kind)
    said, session = exported(model, tmp_path / "g.onnx")
    assert said.inputs == ["z", "condition"] and said.difference <= 1e-4
    z, codes = latents(3, 33, model.network.latent), codes_everywhere(33)
    x = session.run(None, {"z": z.numpy(), "condition": codes})[1]
    assert np.abs(x - decoded(model, z, codes)).max() <= 1e-4
    assert np.abs(x - session.run(None, {"z": z.numpy(), "condition": codes[::-1].copy()})[1]).max() > 0.01
    about = json.loads(session.get_modelmeta().custom_metadata_map["conditions"])
    energy, _, category = CONDITIONS.columns
    assert about[0] == {"name": "energy", "low": energy.low, "high": energy.high}
    assert about[2] == {"name": "kind", "levels": list(category.levels)}


def test_the_onnx_critic_takes_conditions(run, tmp_path):
    model = wgan.load(run)
    said, session = exported(model, tmp_path / "d.onnx", critic=True)
    assert said.inputs == ["x", "condition"] and said.difference <= 1e-4
    x, codes = np.zeros((4, 2), np.float32), np.array([[20.0, 0], [20, 1], [80, 0], [80, 1]])
    assert len({*session.run(None, {"x": x, "condition": codes})[0].tolist()}) == 4


def test_an_onnx_file_of_rows_takes_conditions(table_run, tmp_path):
    model = wgan.load(table_run)
    said, session = exported(model, tmp_path / "t.onnx")
    assert said.inputs == ["z", "condition"] and said.difference <= 1e-4
    z, codes = latents(0, 60, model.network.latent), np.array([[30.0, 1]] * 60)
    rows = session.run(None, {"z": z.numpy(), "condition": codes})[0]
    made = model.decode(z, torch.from_numpy(model.conditions.encode(codes))).as_subclass(torch.Tensor)
    wanted = model.table.decode(made.numpy())
    assert np.isclose(rows, wanted, equal_nan=True).all(1).mean() > 0.95


# --- the page ---------------------------------------------------------------------------------------------------------


def decoded(model, z, codes):
    """Return the samples of latents and codes as NumPy's."""
    return model.decode(z, torch.from_numpy(CONDITIONS.encode(codes))).as_subclass(torch.Tensor).numpy()


@needs_node
@pytest.mark.parametrize("kind", TOLD)
def test_the_page_computes_what_pytorch_does(kind, tmp_path):
    model = told(kind)
    z, codes = latents(7, 40, model.network.latent), codes_everywhere(40)
    wanted, shape = decoded(model, z, codes), model.run.facts.shape
    answer = in_node(page_of(model), z, CONDITIONS.encode(codes).tolist(), tmp_path)
    made = np.array(answer["x"], np.float32)
    if len(shape) == 3:
        made = made.reshape(40, *shape[1:], shape[0]).transpose(0, 3, 1, 2)
    assert np.abs(made.reshape(wanted.shape) - wanted).max() < 1e-3 and wanted.std() > 0.05


@needs_node
def test_the_page_makes_rows_for_conditions(table_run, tmp_path):
    model, n = wgan.load(table_run), 200
    codes = spread(model.conditions, n).numpy()
    z, told_rows = latents(0, n, model.network.latent), model.conditions.encode(codes)
    answer = in_node(page_of(model), z, told_rows.tolist(), tmp_path)
    wanted = model.decode(z, torch.from_numpy(told_rows)).as_subclass(torch.Tensor).numpy()
    assert np.isclose(np.array(answer["x"]).reshape(n, -1), wanted, atol=1e-3).mean() > 0.995


@needs_node
def test_the_page_tells_conditions_as_the_library_does(tmp_path):
    model, codes = told("vectors"), codes_everywhere(30)
    answer = in_node(page_of(model), latents(0, 1, 16), CONDITIONS.encode(codes[:1]).tolist(), tmp_path, codes.tolist())
    assert np.abs(np.array(answer["encoded"]) - CONDITIONS.encode(codes)).max() < 1e-6


def test_the_page_holds_no_conditions_of_training_samples(run):
    page = page_of(wgan.load(run))
    row = wgan.load(run).conditions.rows[5][0]
    assert 'id="told"' in page and repr(row) not in page and "pion, charged" in page


# --- the server -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(run):
    pytest.importorskip("fastapi")
    from helpers.serving import Served

    from wgan.export.serve import application

    with Served(application(wgan.load(run))) as served:
        yield served


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, []),
        ("energy=50,kind=pion, charged", ["--given", "energy=50,kind=pion, charged"]),
        ({"energy": 50, "kind": "pion, charged"}, ["--given", "energy=50,kind=pion, charged"]),
        ({"energy": [20, 80.5]}, ["--given", "energy=20..80.5"]),
    ],
)
@pytest.mark.parametrize("form", ["npz", "csv"])
def test_the_server_gives_what_the_command_writes(server, run, command, tmp_path, given, words, form):
    for n in (20, 30):  # at once, and in a thread
        body = {"n": n, "seed": 5, "given": given, "format": form}
        status, headers, data = server.ask("POST", "/sample", body)
        out = tmp_path / f"{n}.{form}"
        assert command("sample", run.path, "-n", n, "--seed", 5, *words, "--out", out).code == 0
        assert status == 200 and data == out.read_bytes() and "x-warnings" not in headers


def test_the_server_warns_of_what_was_never_learned(server):
    for n in (2, 30):
        _, headers, data = server.ask("POST", "/sample", {"n": n, "given": "energy=500", "format": "json"})
        assert json.loads(headers["x-warnings"]) == [
            w for w in json.loads(headers["x-warnings"]) if "500 lies outside" in w
        ]
        assert json.loads(data)["columns"]["energy"] == [500] * n


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"given": "size=3"}, 400, "unknown condition 'size'"),
        ({"given": {"size": 3}}, 400, "unknown condition 'size'"),
        ({"given": {"energy": "much"}}, 400, "energy is a number"),
        ({"given": {"energy": [1]}}, 400, "energy has 1 values"),
        ({"given": {"energy": [1, 2, 3]}}, 422, "given: "),
        ({"given": {"kind": "proton"}}, 400, "given kind=proton"),
        ({"given": {"kind": ["muon", "muon"]}}, 400, "given kind="),
        ({"given": {}}, 422, "given: "),
        ({"given": ""}, 422, "given: "),
        ({"given": {"energy": True}}, 422, "given: "),
        ({"given": {"energy": None}}, 422, "given: "),
        ({"given": {"x" * 300: 1}}, 422, "given: "),
        (b'{"given": {"energy": NaN}}', 400, "energy is a number"),
        (b'{"given": {"energy": 1e999}}', 400, "energy is a number"),
        ({"given": {"energy": 1e300}, "format": "json"}, 400, "energy"),
        ({"given": "energy=5,energy=6"}, 400, "energy twice"),
        ({"label": "muon"}, 400, "has no classes but conditions"),
        ({"where": "x0=1"}, 400, "ask for energy, kind with given"),
    ],
    ids=lambda v: str(v)[:30],
)
def test_the_server_says_what_is_wrong_with_given(server, body, status, said):
    found = server.refusal("POST", "/sample", body)
    assert found[0] == status and said in found[1], found


def test_a_model_without_conditions_is_given_none(ring_run):
    pytest.importorskip("fastapi")
    from helpers.serving import Served

    from wgan.export.serve import application

    with Served(application(wgan.load(ring_run))) as served:
        status, sentence = served.refusal("POST", "/sample", {"given": "energy=5"})
    assert status == 400 and "was trained without" in sentence


def test_the_server_says_what_can_be_given(server):
    about = json.loads(server.ask("GET", "/info")[2])["conditions"]
    assert [c["name"] for c in about] == ["energy", "kind"] and about[1]["levels"] == ["muon", "pion, charged"]
    assert about[0]["low"] < about[0]["high"]
    page = server.ask("GET", "/docs")[2].decode()
    assert "<code>given</code>" in page and "where" not in page and '"given": {' in page


def test_images_come_with_their_conditions():
    pytest.importorskip("fastapi")
    from wgan.export.serve import json_text

    model = told("concat")
    made = json.loads(json_text(model.sample(3, given="energy=50,count=4,kind=muon"), model))
    assert made["given"] == {"energy": [50.0] * 3, "count": [4] * 3, "kind": ["muon"] * 3} and made["labels"] is None

"""The house rules, read from the documents that state them: layers, lazy torch, short files, commands that run."""

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from helpers.child_processes import make_cheap
from helpers.documents import blocks, commands, shortened

import wgan
from wgan.cli import main as cli
from wgan.recipes import RECIPES, configure

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "wgan"
FILES = sorted(SOURCE.rglob("*.py"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MOST_LINES = 400
MOST_ROWS = 22  # of the layer table: what is read at one sitting
LONGEST_NAME = 60  # of a test, in characters: the rest of what it says stands in its docstring

# --- layers -----------------------------------------------------------------------------------------------------------


def table():
    """Return the layer table of docs/architecture.md: package or module -> level; small ones of a level share a row."""
    text = (ROOT / "docs" / "architecture.md").read_text().partition("## Layers")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`\w+/?`(?:, `\w+/?`)*) \| (\d+) \|", text, re.M)
    assert 10 < len(rows) == len(re.findall(r"^\| `", text, re.M)) <= MOST_ROWS
    return {name: int(level) for names, level in rows for name in re.findall(r"`(\w+)/?`", names)}


def unit(path):
    """Return the package or module a source file belongs to; `wgan` for the public names and the process around them."""
    first = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    return "wgan" if first.startswith("__") else first


def at_run_time(tree):
    """Yield the nodes that are executed, leaving out `if TYPE_CHECKING:`."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            yield from at_run_time(node)


def imports(path):
    """Return the packages and modules of ours that a source file imports, at the top or within a function."""
    names = set()
    for node in at_run_time(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {f"wgan.{alias.name}" for alias in node.names} if node.module == "wgan" else {node.module}
    ours = {name.split(".")[1] for name in names if name.startswith("wgan.")}
    return {name for name in ours if not name.startswith("__")} - {unit(path)}


def test_the_table_has_a_row_for_each_package_and_no_other():
    assert set(table()) == {unit(path) for path in FILES}


def test_the_levels_are_few_and_in_order(capsys):
    """At most ten levels: a package stands one above the highest that it imports, or higher."""
    levels = table()
    assert list(levels.values()) == sorted(levels.values()) and len(set(levels.values())) <= 10
    below = {name: set() for name in levels}
    for path in FILES:
        below[unit(path)] |= imports(path)
    with capsys.disabled():
        print()
        for name, level in levels.items():
            print(f"{level}  {name:<12} {' '.join(sorted(below[name]))}")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_down_only(path):
    levels = table()
    for other in imports(path):
        assert levels[other] < levels[unit(path)], f"{unit(path)} imports {other}, which is not below it"


def test_the_reader_of_imports_sees_all_forms(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", tmp_path)
    (tmp_path / "x.py").write_text(
        "from typing import TYPE_CHECKING\nimport os\nimport wgan.runs.folder\nfrom wgan import engine, __version__\n"
        "from wgan.data.idx import a\nif TYPE_CHECKING:\n    from wgan.visual.plots import b\n"
        "def f():\n    from wgan.training.loop import train\n"
    )
    assert imports(tmp_path / "x.py") == {"runs", "engine", "data", "training"}


# --- torch is loaded when it is needed --------------------------------------------------------------------------------


def test_help_and_mistakes_need_no_torch():
    script = """
import sys, wgan, wgan.config, wgan.recipes, wgan.errors, wgan.progress
from wgan.cli import main as cli
for words in (["--help"], ["train", "--help"], ["train", "--help-all"], ["sample", "--help"], ["--version"], ["-V"]):
    try:
        cli.main(words)
    except SystemExit as stop:
        assert stop.code == 0
assert cli.main(["trian"]) == 2 and cli.main(["train", "--n-critc", "3"]) == 2 and cli.main([]) == 0
assert cli.main(["help"]) == cli.main(["help", "train"]) == cli.main(["version"]) == 0
assert cli.main(["sample"]) == cli.main(["train", "--learning-rate", "3"]) == cli.main(["train", "--epochs"]) == 2
heavy = {"torch", "numpy", "scipy", "matplotlib", "PIL", "tensorboard"} & set(sys.modules)
assert not heavy, heavy
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_every_public_name_is_loaded_on_first_use():
    """From the module that `_PUBLIC` names."""
    assert set(wgan._PUBLIC) == set(wgan.__all__) - {"__version__"}
    for name, module in wgan._PUBLIC.items():
        assert getattr(sys.modules.get(module) or __import__(module, fromlist=[name]), name) is getattr(wgan, name)


# --- what a file may look like ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_file_says_in_its_first_line_what_it_is_and_is_short(path):
    text = path.read_text()
    first = text.partition("\n")[0]
    assert first.startswith('"""') and len(first) > 20 and ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", TESTS, ids=lambda p: p.name)
def test_a_test_file_says_what_it_tests_and_is_short(path):
    """In its first line."""
    lines = path.read_text().splitlines()
    assert lines[0].startswith('"""') and len(lines[0]) > 20
    assert len(lines) <= MOST_LINES


@pytest.mark.parametrize("path", TESTS, ids=lambda p: p.name)
def test_the_name_of_a_test_is_short(path):
    names = [n.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]
    assert [n for n in names if n.startswith("test_") and len(n) > LONGEST_NAME] == []


@pytest.mark.parametrize("path", TESTS, ids=lambda p: p.name)
def test_a_patch_names_an_object_and_no_dotted_string(path):
    """A string breaks unseen when a module moves: pass the thing in, or patch the object that is imported."""
    for name, call in calls(ast.parse(path.read_text())):
        if name.rpartition(".")[2] in ("setattr", "delattr", "patch") and call.args:
            first = call.args[0]
            assert not (isinstance(first, ast.Constant) and "." in str(first.value)), f"line {call.lineno}"


def calls(tree):
    """Yield (dotted name, call) of each call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_source_runs_code_of_files_or_catches_everything(path):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {n.split(".")[0] for n in names} & {"pickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}
        assert not {n.split(".")[0] for n in names} & {"http", "socketserver", "wsgiref", "xmlrpc"}, "a server"
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), "a bare except"
    for name, call in calls(tree):
        keywords = {k.arg: ast.unparse(k.value) for k in call.keywords}
        assert keywords.get("allow_pickle", "False") == "False"
        assert keywords.get("weights_only", "True") == "True"
        assert name not in ("eval", "exec", "torch.load", "torch.save", "pickle.load", "os.system")
        assert keywords.get("shell", "False") == "False"
        if name in ("np.load", "numpy.load"):
            assert keywords.get("allow_pickle") == "False", "say it, so that nobody turns it on unseen"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_conditional_expression_holds_another(path):
    """`a if x else b if y else c` is read wrongly: a plain `if`, or a name for the inner one, is read once."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.IfExp):
            inner = [n for n in ast.walk(node) if isinstance(n, ast.IfExp) and n is not node]
            assert not inner, f"line {node.lineno}: {ast.unparse(node)}"


FORMATTED = [*FILES, *TESTS, *sorted((ROOT / "benchmarks").rglob("*.py"))]


@pytest.mark.parametrize("path", FORMATTED, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_formatter_lays_out_every_line(path):
    """A layer a line is how the table of the Inception network is compared with its source: the one exception."""
    skipped = re.findall(r"# fmt: " + "skip", path.read_text())
    assert not skipped or path.name == "inception.py"


SCRIPTS = [p for d in ("benchmarks", "tools", "examples") for p in sorted((ROOT / d).rglob("*.py"))]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_script_imports_what_the_package_has(path):
    """No other test runs the benchmarks, so a module that moves would break one unseen."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "wgan":
            module = importlib.import_module(node.module)
            for name in (alias.name for alias in node.names):
                assert hasattr(module, name) or importlib.util.find_spec(f"{node.module}.{name}"), name


# --- one version ------------------------------------------------------------------------------------------------------


def test_the_version_is_written_once_and_the_same_everywhere():
    """pyproject.toml reads it from the package; the citation and the changelog name it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"] and project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "wgan.__version__"}
    assert f"\nversion: {wgan.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {wgan.__version__.partition('.dev')[0]}" in (ROOT / "CHANGELOG.md").read_text()


# --- documents --------------------------------------------------------------------------------------------------------


EVERY = [(path, words) for path in DOCUMENTS if path.exists() for words in commands(path)]


def test_the_readme_shows_every_command():
    shown = {words[0] for words in commands(ROOT / "README.md") if words}
    assert {"train", "sample", "interpolate", "recipes"} <= shown
    assert {f"docs/recipes/{name}.md" for name in ("mnist", "small-mlp-gp")} <= {
        str(p.relative_to(ROOT)) for p, _ in EVERY
    }


@pytest.mark.parametrize(("path", "words"), EVERY, ids=lambda v: v.stem if isinstance(v, Path) else " ".join(v))
def test_every_command_in_a_document_is_one_that_wgan_takes(path, words):
    found = cli.parse(words)
    assert words == [] or "function" in found
    if words[:1] == ["train"]:
        options = {
            k.removeprefix("option_"): v for k, v in vars(found).items() if k.startswith("option_") and v is not None
        }
        own = found.name is not None and found.name not in RECIPES  # the reader's data, which `images` fits
        configure("images" if own else found.name or "mnist", options)


@pytest.mark.parametrize("path", [p for p in DOCUMENTS if p.exists()], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_between_documents_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
        if not re.match(r"\w+:", target):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_page_that_says_how_to_train_it(name):
    pages = [words for path, words in EVERY if path.parent.name == "recipes"]
    assert any(words[:2] == ["train", name] or (words == ["train"] and name == "mnist") for words in pages)


@pytest.fixture
def short(tmp_path, monkeypatch):
    """An empty folder to work in, with evaluations while training that cost nothing."""
    monkeypatch.chdir(tmp_path)
    make_cheap(monkeypatch.setattr)
    return tmp_path


def test_the_commands_of_the_readme_run_in_their_order(short, capsys, monkeypatch):
    """All those in blocks marked bash; what needs a folder of the reader's own goes into a block marked console."""
    ran = 0
    for words in commands(ROOT / "README.md", "bash"):
        if words[0] == "compare":  # a comparison is about the evaluations that `short` leaves out
            monkeypatch.undo()
            monkeypatch.chdir(short)
        code = cli.main(shortened(words))
        assert code == 0, (words, capsys.readouterr())
        ran += 1
    assert ran >= 5


def test_the_python_of_the_readme_runs(short, monkeypatch, capsys):
    train = wgan.train
    monkeypatch.setattr(
        wgan, "train", lambda *a, **k: train(*a, **{**k, "steps": 2, "batch": 8, "threads": 1}), raising=False
    )
    texts = blocks(ROOT / "README.md", "python")
    assert texts
    for text in texts:
        exec(compile(text, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().err == ""
    assert len(max(texts, key=len).strip().splitlines()) <= 12  # ten lines, or nearly

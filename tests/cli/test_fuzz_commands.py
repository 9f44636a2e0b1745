"""Hostile command lines, and the report of a damaged run folder: they work or are refused in one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from helpers.fuzzing import Bench
from helpers.hostile import HUGE, cases, damage
from hypothesis import strategies as st

from wgan.api import plan
from wgan.cli import main as cli
from wgan.config import FIELDS
from wgan.errors import WganError
from wgan.report.page import write_report
from wgan.runs.folder import open_run

# --- the report -------------------------------------------------------------------------------------------------------


@cases(15, 500)
def test_a_report_of_a_damaged_run_folder(data: st.DataObject, bench: Bench, ring: Path) -> None:
    """Whatever a run folder says, its page holds no script but its own two, and nothing of another place."""
    run = Path(shutil.copytree(ring, bench.fresh() / "run"))
    evil = "<script>alert(1)</script><img src=http://x onerror=alert(2)>"
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**facts, "classes": 1, "class_names": [evil]}))
    with open(run / "log.jsonl", "a") as log:
        log.write(json.dumps({"step": 3, "alarm": evil}) + "\n")
    damage(data, run)

    def report() -> None:
        write_report([run], run / "report.html")
        page = (run / "report.html").read_text("utf-8")
        assert page.count("<script") == page.count("</script>") == 2 and "<img src=http" not in page

    bench.judge(report)


# --- the command line -------------------------------------------------------------------------------------------------

FLAGS = [f"--{name.replace('_', '-')}" for name in FIELDS] + ["--run", "-n", "--out", "--label", "--help", "--", "-"]
WORDS = st.one_of(
    st.sampled_from(["train", "sample", "evaluate", "interpolate", "mnist", "mlp-clip", "gulrajani-ring", *FLAGS]),
    st.text(max_size=12),
    st.sampled_from(
        ["0", "-1", "1e999", "nan", "None", "../../x", "\0", "a" * 5000, "٣", "1_0", "{", "%s", "--lr=1e-3"]
    ),
    HUGE.map(str),
)


@cases(40, 2500)
def test_command_lines(data: st.DataObject, bench: Bench, ring: Path) -> None:
    """Nothing is trained: what would be has passed every check of its options."""
    words = ["train" if data.draw(st.booleans()) else "sample", *data.draw(st.lists(WORDS, max_size=6))]

    def use() -> None:
        found = cli.parse(words)
        try:
            plan_or_open(found)
        except OSError as error:  # as main() says it
            raise WganError(f"the system refused {error.filename}: {error.strerror}") from None

    def plan_or_open(found: Any) -> None:
        given = {k[7:]: v for k, v in vars(found).items() if k.startswith("option_") and v is not None}
        if found.function == "train":
            plan(found.name, given)
        elif found.path is not None:  # without a name the newest run is taken, and here is none
            open_run(found.path)

    try:
        bench.judge(use)
    except SystemExit as stop:  # --help
        assert not stop.code
        bench.counts["worked"] += 1

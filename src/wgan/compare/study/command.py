"""`wgan compare --design`: run or resume a study, say its verdicts and where its page is."""

from __future__ import annotations

import argparse
from pathlib import Path

from wgan.compare.run import until_stopped
from wgan.compare.study.design import read_design
from wgan.compare.study.page import interval_text, write_page
from wgan.compare.study.run import study
from wgan.errors import WganError

DECIDED = {
    "objectives": "OBJECTIVE",
    "seeds": "--seeds",
    "steps": "--steps",
    "budget": "--budget",
    "critic_forwards": "--critic-forwards",
    "parts": "--parts",
    "quick": "--quick",
}


def command(found: argparse.Namespace) -> int:
    """Run or resume a study, write compare.json and index.html; WganError for flags that its design decides."""
    given = [flag for name, flag in DECIDED.items() if getattr(found, name)]
    if given:
        raise WganError(f"the design decides what is compared: leave {given[0]} out, or write it into the design")
    design, out = read_design(found.design), Path(found.out or "comparison")
    result, code = until_stopped(lambda say: study(design, out, say), out)
    if result is None:
        return code
    write_page(result, out)
    for name, v in result["verdicts"].items():
        n = v["effect"]["n"] if v["effect"] else 0
        print(f"{name:18} {v['verdict']:13} {interval_text(v['effect'])}, n = {n}")
    print(f"comparison in {out}/index.html, raw values in {out}/compare.json")
    return 0

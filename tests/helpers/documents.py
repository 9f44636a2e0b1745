"""The commands and the Python of a document, and what makes them short enough for a test."""

import itertools
import re
import shlex

# what makes a command of the README take a second instead of minutes; later flags win
SHORT = {
    "train": "--steps 2 --batch 8 --threads 1",
    "evaluate": "-n 100 --metrics fid-lenet",
    "compare": "--steps 20",
    "benchmark": "small-mlp-clip --steps 1 --batch 4 --threads 1",
}


PARTS = ["--microbatch", "4"]  # of that batch


def shortened(words):
    """Return the words of a command that takes a second: few steps, also where minutes were asked for."""
    kept = list(words)
    if "--minutes" in kept:
        at = kept.index("--minutes")
        del kept[at : at + 2]
    if words[0] == "compare":  # one objective, the last where some are named
        named = list(itertools.takewhile(lambda word: not word.startswith("-"), kept[1:]))
        kept[1 : 1 + len(named)] = named[-1:] or ["wgan-gp"]
    return [*kept, *shlex.split(SHORT.get(words[0], "")), *(PARTS if "--microbatch" in kept else [])]


def blocks(path, *languages):
    """Return the fenced blocks of a document in these languages."""
    found = re.findall(r"^```(\w+)[^\n]*\n(.*?)^```", path.read_text(), re.M | re.S)
    return [text for language, text in found if language in languages]


def commands(path, *languages):
    """Return the words after `wgan` of each command in a document's shell blocks."""
    lines = [
        line
        for text in blocks(path, *(languages or ("bash", "sh", "console")))
        for line in text.replace("\\\n", " ").splitlines()
    ]
    parts = [part.strip().removeprefix("$ ") for line in lines for part in re.split(r"&&|;|\|", line)]
    found = [shlex.split(part, comments=True) for part in parts if re.match(r"(\S*/)?wgan( |$)", part)]
    return [words[1:] for words in found]

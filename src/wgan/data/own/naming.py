"""Names that mean a part of the data: train, val and test in their common spellings, numbered or not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

KINDS = {
    "train": "train training trn",
    "val": "val valid validation validate validating dev devel development eval evaluation holdout heldout",
    "test": "test testing tst",
    "extra": "extra unlabeled unlabelled unsupervised unsup pred predict",  # neither trained on nor measured
}
HELD_OUT = ("val", "test")  # kinds that are measured on, never trained on
WORDS = {word: kind for kind, words in KINDS.items() for word in words.split()}
FILLERS = {
    "set",
    "sets",
    "split",
    "data",
    "dataset",
    "image",
    "images",
    "img",
    "imgs",
    "pictures",
    "photos",
    "part",
    "fold",
}
TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\da-zA-Z_]+")
GLUED = re.compile(
    rf"({'|'.join(sorted(WORDS, key=len, reverse=True))})({'|'.join(sorted(FILLERS, key=len, reverse=True))})"
)
WITH_AXIS = re.compile(rf"([xy])({'|'.join(sorted(WORDS, key=len, reverse=True))})", re.IGNORECASE)
HOLD_OUT = re.compile(r"h[eo]ld[ _-]out", re.IGNORECASE)


def split_of(name: str) -> tuple[str, str] | None:
    """Return (train | val | test | extra, what else the name says) for a name of a split, None for any other.

    train2017 -> (train, ''), seg_test -> (test, 'seg'), trainA -> (train, 'A'), cats -> None.
    """
    if name.lower().startswith("t10k"):  # the test part of MNIST's files
        return "test", ""
    tokens = TOKEN.findall(HOLD_OUT.sub("holdout", name))
    kinds: list[str] = []
    rest: list[str] = []
    for token in tokens:
        if glued := WITH_AXIS.fullmatch(token):  # xtrain and yTEST, as X_train without its bar
            rest.append(glued[1])
            token = glued[2]
        glued = GLUED.fullmatch(token.lower())
        word = glued[1] if glued else token.lower()
        if word in WORDS:
            kinds.append(WORDS[word])
        elif word not in FILLERS:
            rest.append(token)
    return (kinds[0], "_".join(rest)) if len(kinds) == 1 else None


def splits_among(names: Iterable[str]) -> Mapping[str, tuple[str, str]] | None:
    """Return (split, what else) of each name where together they name splits, None where they are anything else.

    All of them name splits, or some are exactly a training and another part: what lies next to those is extra. A `train`
    next to a `bus` is a class, and so are `bullet_train` and `steam_train`.
    """
    names = list(names)
    found = {name: split for name in names if (split := split_of(name))}
    kinds, rests = {kind for kind, _ in found.values()}, {rest for _, rest in found.values()}
    if found and len(found) == len(names):
        several = len(kinds) > 1 and "train" in kinds
        return found if several or rests == {""} else None
    exact = {kind for kind, rest in found.values() if not rest}
    if "train" in exact and exact & set(HELD_OUT):
        return {name: found.get(name, ("extra", "")) for name in names}
    return None

"""The licences of the bundled data, which a model card names; those of a user's own data only the user knows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Licence:
    """A licence by its identifier on the hub, and whose data it covers in one sentence."""

    identifier: str
    about: str


_MNIST = "by Yann LeCun, Corinna Cortes and Christopher J. C. Burges, made available under CC BY-SA 3.0."
LICENCES = {
    "mnist": Licence("cc-by-sa-3.0", f"MNIST is {_MNIST}"),
    "stacked-mnist": Licence("cc-by-sa-3.0", f"Stacked MNIST is made of MNIST, which is {_MNIST}"),
    "fashion": Licence("mit", "Fashion-MNIST is by Zalando SE, MIT licence."),
    "ring": Licence("cc0-1.0", "The data are a formula, on which nobody has a right."),
    "grid": Licence("cc0-1.0", "The data are a formula, on which nobody has a right."),
    "swissroll": Licence("cc0-1.0", "The data are a formula, on which nobody has a right."),
}


def licence_of(spec: str) -> Licence | None:
    """Return the licence of the bundled data that `spec` names, such as mnist:0-4; None for a user's own."""
    return LICENCES.get(spec.partition(":")[0])

"""Holds the batch norms of keras_then.py against tf_keras's own layers, in float32, where those can be had.

python benchmarks/published/check_norms.py now     # BatchNorm211 and the fused layer, TensorFlow 2, trained and frozen
python benchmarks/published/check_norms.py then    # BatchNorm222 and the version-1 layer, graph mode, frozen in a second model

The version-1 layer stands for Keras 2.2.2 in all but the moving statistics: it takes plain averages of an unbiased variance.
Biases before batch norm have gradients of rounding errors alone, so RMSProp moves them as it likes: they differ, idly.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras as keras
from keras_then import BatchNorm211, BatchNorm222, RMSprop, start_averages, wasserstein
from tf_keras.src.layers.normalization.batch_normalization_v1 import BatchNormalization as VersionOne

Layer = Callable[[], keras.layers.Layer]
X, Z = np.random.default_rng(0).normal(1, 2, (2, 16, 6, 6, 3)).astype(np.float32)
SIGN = -np.ones((16, 1), np.float32)


def trained(norm: Layer, optimizer: Callable[[], keras.optimizers.Optimizer], freeze: bool) -> list[np.ndarray]:
    """Return all weights after steps of a critic, and of a generator in front of it: it frozen, or all but its norm."""
    keras.utils.set_random_seed(1) if tf.executing_eagerly() else tf.compat.v1.set_random_seed(1)
    start = keras.initializers.RandomNormal(stddev=0.3, seed=1)
    layers, image, z = keras.layers, keras.Input((6, 6, 3)), keras.Input((6, 6, 3))
    features = layers.Flatten()(norm()(layers.Conv2D(4, 3, kernel_initializer=start)(image)))
    critic = keras.Model(image, layers.Dense(1, kernel_initializer=start)(features))
    generator = keras.Model(z, layers.Conv2D(3, 3, padding="same", kernel_initializer=start)(z))
    critic.compile(loss=wasserstein, optimizer=optimizer())
    for layer in critic.layers:
        layer.trainable = not freeze and layer is critic.layers[2]
    both = keras.Model(z, critic(generator(z)))
    both.compile(loss=wasserstein, optimizer=optimizer())
    if not tf.executing_eagerly():
        start_averages()
    for _ in range(3):
        critic.train_on_batch(X, SIGN)
        both.train_on_batch(Z, SIGN)
    return [*critic.get_weights(), *generator.get_weights()]


def main() -> None:
    then = sys.argv[1:] == ["then"]
    if then:
        tf.compat.v1.disable_v2_behavior()
        pairs: list[tuple[Layer, Layer]] = [(lambda: BatchNorm222(0.8), lambda: VersionOne(momentum=0.8))]
    else:
        pairs = [(lambda: BatchNorm211(0.99), keras.layers.BatchNormalization)]
    for ours, theirs in pairs:
        for freeze in (True, False):
            make = (lambda: RMSprop(1e-3, 1e-7)) if then else (lambda: keras.optimizers.RMSprop(1e-3))
            found = zip(trained(ours, make, freeze), trained(theirs, make, freeze), strict=True)
            distances = [float(np.abs(a - b).max()) for a, b in found]
            print("frozen" if freeze else "all but batch norm frozen", [f"{d:.1e}" for d in distances])
    print("order: kernel, bias, gain, bias, moving mean, moving variance, dense kernel, bias; generator's kernel, bias")


if __name__ == "__main__":
    main()

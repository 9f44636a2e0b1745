"""S0, "WGANs Convergence and Optimization": one digit, two small convolutional networks, Keras 3 on TensorFlow.

python benchmarks/published/s0.py --steps 10
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from common import main, mnist, scaled
from keras import layers, ops

LATENT, BATCH, ROUNDS = 50, 64, 5


class Clip(keras.constraints.Constraint):
    """Keep a kernel within [-0.01, 0.01]."""

    def __call__(self, w):
        return ops.clip(w, -0.01, 0.01)


def wasserstein(y_true, y_pred):
    """Mean of label times score: -1 for real, 1 for fake."""
    return ops.mean(y_true * y_pred)


def rmsprop() -> keras.optimizers.RMSprop:
    return keras.optimizers.RMSprop(learning_rate=5e-5)


def make_critic() -> keras.Model:
    normal = keras.initializers.RandomNormal(stddev=0.02)
    critic = keras.Sequential([keras.Input((28, 28, 1))])
    for _ in range(2):
        critic.add(layers.Conv2D(64, 4, 2, "same", kernel_initializer=normal, kernel_constraint=Clip()))
        critic.add(layers.BatchNormalization())
        critic.add(layers.LeakyReLU(negative_slope=0.2))
    critic.add(layers.Flatten())
    critic.add(layers.Dense(1))
    critic.compile(loss=wasserstein, optimizer=rmsprop())
    return critic


def make_generator() -> keras.Model:
    normal = keras.initializers.RandomNormal(stddev=0.03)
    generator = keras.Sequential([keras.Input((LATENT,))])
    generator.add(layers.Dense(128 * 7 * 7, kernel_initializer=normal))
    generator.add(layers.LeakyReLU(negative_slope=0.2))
    generator.add(layers.Reshape((7, 7, 128)))
    for _ in range(2):
        generator.add(layers.Conv2DTranspose(128, 4, 2, "same", kernel_initializer=normal))
        generator.add(layers.BatchNormalization())
        generator.add(layers.LeakyReLU(negative_slope=0.2))
    generator.add(layers.Conv2D(1, 7, padding="same", activation="tanh", kernel_initializer=normal))
    return generator


def steps() -> Iterator[None]:
    images, labels = mnist("train")
    data = scaled(images[labels == 5])
    critic, generator = make_critic(), make_generator()
    # Keras 3 builds the step at its first call: that must come before the critic is frozen in the other model
    critic.train_on_batch(data[: BATCH // 2], -np.ones((BATCH // 2, 1), np.float32))
    for layer in critic.layers:
        if not isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    both = keras.Sequential([generator, critic])
    both.compile(loss=wasserstein, optimizer=rmsprop())
    half = BATCH // 2
    while True:
        for _ in range(ROUNDS):
            real = data[np.random.randint(0, len(data), half)]
            critic.train_on_batch(real, -np.ones((half, 1), np.float32))
            fake = generator.predict(np.random.randn(half, LATENT).astype(np.float32), verbose=0)
            critic.train_on_batch(fake, np.ones((half, 1), np.float32))
        both.train_on_batch(np.random.randn(BATCH, LATENT).astype(np.float32), -np.ones((BATCH, 1), np.float32))
        yield


if __name__ == "__main__":
    main("S0", steps, {"keras": keras.__version__, "tensorflow": tf.__version__})

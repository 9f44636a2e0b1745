"""S3, "Wasserstein GAN with MNIST (Part 6)": a deep convolutional pair of networks, Keras 3 on TensorFlow.

python benchmarks/published/s3.py --steps 5
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from common import main, mnist, scaled
from keras import layers, ops

LATENT, BATCH, ROUNDS, BOUND = 100, 64, 5, 0.01


def wasserstein(y_true, y_pred):
    return ops.mean(y_true * y_pred)


def rmsprop() -> keras.optimizers.RMSprop:
    return keras.optimizers.RMSprop(learning_rate=5e-5)


def make_critic() -> keras.Model:
    critic = keras.Sequential([keras.Input((28, 28, 1))])
    critic.add(layers.Conv2D(64, 3, 2, "same"))
    critic.add(layers.LeakyReLU(negative_slope=0.2))
    for width, stride in ((128, 2), (256, 2), (512, 1)):
        critic.add(layers.Conv2D(width, 3, stride, "same"))
        critic.add(layers.BatchNormalization(momentum=0.8))
        critic.add(layers.LeakyReLU(negative_slope=0.2))
    critic.add(layers.Flatten())
    critic.add(layers.Dense(1))
    critic.compile(loss=wasserstein, optimizer=rmsprop())
    return critic


def make_generator() -> keras.Model:
    generator = keras.Sequential([keras.Input((LATENT,)), layers.Dense(7 * 7 * 512), layers.Reshape((7, 7, 512))])
    for width, stride in ((128, 2), (64, 1)):
        generator.add(layers.Conv2DTranspose(width, 3, stride, "same"))
        generator.add(layers.BatchNormalization(momentum=0.8))
        generator.add(layers.ReLU(0.2))  # its argument is the largest value, as published
    generator.add(layers.Conv2DTranspose(1, 3, 2, "same", activation="tanh"))
    return generator


def steps() -> Iterator[None]:
    data = scaled(mnist("train")[0])
    critic, generator = make_critic(), make_generator()
    # Keras 3 builds the step at its first call: that must come before the critic is frozen in the other model
    critic.train_on_batch(data[:BATCH], -np.ones((BATCH, 1), np.float32))
    critic.trainable = False
    both = keras.Sequential([generator, critic])
    both.compile(loss=wasserstein, optimizer=rmsprop())
    real_sign, fake_sign = -np.ones((BATCH, 1), np.float32), np.ones((BATCH, 1), np.float32)
    while True:
        for first in range(0, len(data) - BATCH + 1, BATCH):
            real = data[first : first + BATCH]
            for _ in range(ROUNDS):
                noise = np.random.normal(size=(BATCH, LATENT)).astype(np.float32)
                fake = generator.predict(noise, verbose=0)
                critic.train_on_batch(real, real_sign)
                critic.train_on_batch(fake, fake_sign)
                for layer in critic.layers:
                    layer.set_weights([np.clip(w, -BOUND, BOUND) for w in layer.get_weights()])
            both.train_on_batch(noise, real_sign)
            yield


if __name__ == "__main__":
    main("S3", steps, {"keras": keras.__version__, "tensorflow": tf.__version__})

"""S2, "Wasserstein GAN in Keras": digits by class with an auxiliary classifier, Keras 3 on TensorFlow.

The step that is timed has the usual 5 critic updates; the warm-up schedule (100 of them) is left out of the timing.

    python benchmarks/published/s2.py --steps 3
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from common import main, mnist, scaled
from keras import layers, ops

LATENT, BATCH, ROUNDS, BOUND = 100, 100, 5, 0.01


def wasserstein(y_true, y_pred):
    return ops.mean(y_true * y_pred)


def losses() -> list:
    return [wasserstein, "sparse_categorical_crossentropy"]


def rmsprop() -> keras.optimizers.RMSprop:
    return keras.optimizers.RMSprop(learning_rate=5e-5)


def make_critic() -> keras.Model:
    normal = keras.initializers.RandomNormal(stddev=0.02)
    image = keras.Input((28, 28, 1))
    x = layers.Conv2D(32, 3, padding="same", kernel_initializer=normal)(image)
    x = layers.Dropout(0.3)(layers.MaxPooling2D(2)(layers.LeakyReLU(negative_slope=0.3)(x)))
    x = layers.Conv2D(64, 3, padding="same", kernel_initializer=normal)(x)
    x = layers.Dropout(0.3)(layers.LeakyReLU(negative_slope=0.3)(layers.MaxPooling2D(1)(x)))
    x = layers.Conv2D(128, 3, padding="same", kernel_initializer=normal)(x)
    x = layers.Dropout(0.3)(layers.LeakyReLU(negative_slope=0.3)(layers.MaxPooling2D(2)(x)))
    x = layers.Conv2D(256, 3, padding="same", kernel_initializer=normal)(x)
    x = layers.Dropout(0.3)(layers.LeakyReLU(negative_slope=0.3)(layers.MaxPooling2D(1)(x)))
    x = layers.Flatten()(x)
    critic = keras.Model(image, [layers.Dense(1)(x), layers.Dense(10, activation="softmax")(x)])
    critic.compile(loss=losses(), optimizer=rmsprop())
    return critic


def make_generator() -> keras.Model:
    normal = keras.initializers.RandomNormal(stddev=0.02)
    z, label = keras.Input((LATENT,)), keras.Input((1,), dtype="int32")
    chosen = layers.Flatten()(layers.Embedding(10, LATENT, embeddings_initializer="glorot_uniform")(label))
    x = layers.Multiply()([z, chosen])
    for width in (1024, 128 * 7 * 7):
        x = layers.LeakyReLU(negative_slope=0.3)(layers.Dense(width, kernel_initializer=normal)(x))
    x = layers.Reshape((7, 7, 128))(x)
    for width in (256, 128):
        x = layers.Conv2D(width, 5, padding="same", kernel_initializer=normal)(layers.UpSampling2D(2)(x))
        x = layers.LeakyReLU(negative_slope=0.3)(x)
    x = layers.Conv2D(1, 2, padding="same", activation="tanh", kernel_initializer=normal)(x)
    return keras.Model([z, label], x)


def clip(critic: keras.Model) -> None:
    for layer in critic.layers:
        layer.set_weights([np.clip(w, -BOUND, BOUND) for w in layer.get_weights()])


def steps() -> Iterator[None]:
    keras.utils.set_random_seed(777)
    images, labels = mnist("train", "t10k")
    data = scaled(images)
    critic, generator = make_critic(), make_generator()
    # Keras 3 builds the step at its first call: that must come before the critic is frozen in the other model
    critic.train_on_batch(data[:BATCH], [-np.ones((BATCH, 1), np.float32), labels[:BATCH, None]])
    critic.trainable = False
    z, label = keras.Input((LATENT,)), keras.Input((1,), dtype="int32")
    both = keras.Model([z, label], critic(generator([z, label])))
    both.compile(loss=losses(), optimizer=rmsprop())
    real_sign, fake_sign = -np.ones((BATCH, 1), np.float32), np.ones((BATCH, 1), np.float32)
    latest: dict[str, deque] = {name: deque(maxlen=5) for name in ("real", "fake", "generator")}
    while True:
        for _ in range(ROUNDS):
            clip(critic)
            chosen = np.random.choice(len(data), BATCH, replace=False)
            latest["real"].append(critic.train_on_batch(data[chosen], [real_sign, labels[chosen, None]]))
            y = np.random.randint(0, 10, (BATCH, 1))
            fake = generator.predict([np.random.randn(BATCH, LATENT).astype(np.float32), y], verbose=0)
            latest["fake"].append(critic.train_on_batch(fake, [fake_sign, y]))
        y = np.random.randint(0, 10, (BATCH, 1))
        noise = np.random.randn(BATCH, LATENT).astype(np.float32)
        latest["generator"].append(both.train_on_batch([noise, y], [real_sign, y]))
        {name: np.mean(values, 0) for name, values in latest.items()}  # what its progress bar shows
        yield


if __name__ == "__main__":
    main("S2", steps, {"keras": keras.__version__, "tensorflow": tf.__version__})

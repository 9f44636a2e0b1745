"""S3, "Wasserstein GAN with MNIST (Part 6)" (published 2020, run in 2018), as it ran: Keras 2.2.0 to 2.2.2, graph mode.

    python benchmarks/published/as_run_s3.py --record tests/fixtures/published/s3.safetensors
    python benchmarks/published/as_run_s3.py --train 937 --folder s3

The critic is frozen before the combined model is compiled, and its batch norm there uses the fakes' own statistics all the same.
A narrow copy goes through its 48 images in order, batch after batch, as the program goes through MNIST.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tensorflow as tf
import tf_keras as keras
from as_run import BOUND, Draws, Losses, Mark, Program, Size, clip_layers, command, initial, record, signs, train
from common import mnist
from keras_then import BatchNorm222, RMSprop, start_averages, wasserstein
from tf_keras import layers
from tf_keras.initializers import RandomNormal

RATE, EPSILON, MOMENTUM = 5e-5, 1e-7, 0.8
NARROW = Size(latent=6, batch=8, fakes=8, rounds=3, side=12, critic=32, generator=32)


class S3(Program):
    """Both networks and the loop's body."""

    def __init__(self, size: Size, draws: Draws) -> None:
        self.size, self.draws = size, draws
        self.optimizer = RMSprop(RATE, EPSILON)  # one object for both, with accumulators of their own
        self.critic, self.generator = self.make_critic(), self.make_generator()
        self.critic.compile(optimizer=self.optimizer, loss=wasserstein)
        self.critic.trainable = False
        z = keras.Input((size.latent,))
        self.both = keras.Model(z, self.critic(self.generator(z)))
        self.both.compile(optimizer=self.optimizer, loss=wasserstein)
        start_averages()

    def make_critic(self) -> keras.Model:
        """Image -> score [B, 1]."""
        x = image = keras.Input((self.size.side, self.size.side, 1))
        for i, width in enumerate(self.size.critics(64, 128, 256, 512)):
            x = layers.Conv2D(width, 3, 1 if i == 3 else 2, "same", name=f"conv{i + 1}")(x)
            x = BatchNorm222(MOMENTUM, name=f"norm{i + 1}")(x) if i else x
            x = layers.LeakyReLU(0.2)(x)
        return keras.Model(image, layers.Dense(1, name="score")(layers.Flatten()(x)))

    def make_generator(self) -> keras.Model:
        """z -> image; the activations are capped at 0.2, as published."""
        base, (first, second, third) = self.size.side // 4, self.size.generators(512, 128, 64)
        z = keras.Input((self.size.latent,))
        x = layers.Dense(base * base * first, kernel_initializer=RandomNormal(stddev=0.02), name="dense")(z)
        x = layers.Reshape((base, base, first))(x)
        for i, (width, stride) in enumerate(((second, 2), (third, 1))):
            x = layers.Conv2DTranspose(width, 3, stride, "same", name=f"grow{i + 1}")(x)
            x = layers.ReLU(0.2)(BatchNorm222(MOMENTUM, name=f"norm{i + 1}")(x))
        return keras.Model(z, layers.Conv2DTranspose(1, 3, 2, "same", activation="tanh", name="last")(x))

    def step(self, it: int, mark: Mark) -> Losses:
        d, size = self.draws, self.size
        found: Losses = {"real": [], "fake": []}
        first = it % (len(d.data) // size.batch) * size.batch
        real = d.data[d.keep("critic_images", np.arange(first, first + size.batch))]
        for _ in range(size.rounds):
            z = d.latents("critic_latents", size.batch)
            fake = self.generator.predict(z, verbose=0)
            found["real"].append(float(self.critic.train_on_batch(real, signs(True, size.batch))))
            mark("real")
            found["fake"].append(float(self.critic.train_on_batch(fake, signs(False, size.batch))))
            mark("fake")
            clip_layers(self.critic)
            mark("clip")
        mark("rounds")
        loss = float(self.both.train_on_batch(z, signs(True, size.batch)))
        mark("generator")
        return found | {"generator": [loss]}

    def squares(self, moment: str) -> Iterable[tuple[tf.Variable, tf.Variable]]:
        return self.optimizer.made[1 if moment == "generator" else 0]


def main() -> None:
    found = command("S3 as it ran").parse_args()
    tf.compat.v1.disable_v2_behavior()
    keras.backend.set_floatx("float64" if found.record else "float32")
    tf.compat.v1.set_random_seed(found.seed)
    batch = found.batch or 64
    wide = Size(latent=100, batch=batch, fakes=batch, critic=found.divide, generator=found.divide)
    data = mnist("train")

    def make(size: Size) -> S3:
        return S3(size, Draws(found.seed, size, *data))

    program = make(NARROW if found.record else wide)
    if found.train:
        train(program, found.train, found.folder, found.every)
        return
    facts = {"system": "S3", "lr": RATE, "epsilon": EPSILON, "clip": BOUND, "momentum": MOMENTUM, "seed": found.seed}
    record(program, found.record, facts, initial(make(wide)))


if __name__ == "__main__":
    main()

"""S0, "WGANs Convergence and Optimization" (2024), as it ran: Keras 2.11 to 2.15 on TensorFlow 2.

    python benchmarks/published/as_run_s0.py --record tests/fixtures/published/s0.safetensors
    python benchmarks/published/as_run_s0.py --train 3 --seed 0 --folder s0

It asks for RMSprop(lr=0.00005); Keras from 2.11 on warns, drops `lr` and takes its default, 0.001: --lr 5e-5 is what it meant.
It freezes every critic layer but batch norm before the combined model is compiled. So the generator's step also moves the gains
and biases of the critic's batch norm, towards a higher score of the fakes, with the accumulators of the combined model's
optimizer; and those layers, not frozen, normalise by the fakes' own statistics and average them into their moving ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import tensorflow as tf
import tf_keras as keras
from as_run import BOUND, Draws, Losses, Mark, Program, Size, command, initial, record, signs, train
from common import mnist
from keras_then import BatchNorm211, wasserstein
from tf_keras import layers
from tf_keras.initializers import RandomNormal

DIGIT, MOMENTUM = 5, 0.99
NARROW = Size(latent=6, batch=8, fakes=16, rounds=3, side=12, critic=16, generator=32)


class Clip(keras.constraints.Constraint):
    """Keep a kernel within [-0.01, 0.01], after each optimizer step that moves it."""

    def __call__(self, w: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(w, -BOUND, BOUND)


class S0(Program):
    """Both networks and the loop's body; `rate` None asks for the learning rate in the program's own words."""

    def __init__(self, size: Size, draws: Draws, rate: float | None) -> None:
        self.size, self.draws, self.rate = size, draws, rate
        self.critic, self.generator = self.make_critic(), self.make_generator()
        self.critic.compile(loss=wasserstein, optimizer=self.rmsprop())
        for layer in self.critic.layers:
            if not isinstance(layer, (layers.BatchNormalization, BatchNorm211)):
                layer.trainable = False
        self.both = keras.Sequential([self.generator, self.critic])
        self.both.compile(loss=wasserstein, optimizer=self.rmsprop())

    def rmsprop(self) -> keras.optimizers.Optimizer:
        """Return today's RMSprop of tf_keras, which is that of 2.11: rho 0.9, epsilon 1e-7 under the root."""
        return keras.optimizers.RMSprop(lr=5e-5) if self.rate is None else keras.optimizers.RMSprop(self.rate)

    def norm(self, name: str) -> keras.layers.Layer:
        """Return Keras's own batch norm; in float64, which its fused kernel cannot do, the same numbers by hand."""
        return BatchNorm211(MOMENTUM, name=name) if self.size.narrow else layers.BatchNormalization(name=name)

    def make_critic(self) -> keras.Model:
        """Image -> score [B, 1]."""
        normal = RandomNormal(stddev=0.02)
        critic = keras.Sequential([keras.Input((self.size.side, self.size.side, 1))])
        for i, width in enumerate(self.size.critics(64, 64)):
            kernel = {"kernel_initializer": normal, "kernel_constraint": Clip()}
            critic.add(layers.Conv2D(width, 4, 2, "same", name=f"conv{i + 1}", **kernel))
            critic.add(self.norm(f"norm{i + 1}"))
            critic.add(layers.LeakyReLU(0.2))
        critic.add(layers.Flatten())
        critic.add(layers.Dense(1, name="score"))
        return critic

    def make_generator(self) -> keras.Model:
        """z -> image. tf_keras warns that the shared initial values are the same in both transposed convolutions: they are."""
        normal, base = RandomNormal(stddev=0.03), self.size.side // 4
        first, *widths = self.size.generators(128, 128, 128)
        generator = keras.Sequential([keras.Input((self.size.latent,))])
        generator.add(layers.Dense(first * base * base, kernel_initializer=normal, name="dense"))
        generator.add(layers.LeakyReLU(0.2))
        generator.add(layers.Reshape((base, base, first)))
        for i, width in enumerate(widths):
            generator.add(layers.Conv2DTranspose(width, 4, 2, "same", kernel_initializer=normal, name=f"grow{i + 1}"))
            generator.add(self.norm(f"norm{i + 1}"))
            generator.add(layers.LeakyReLU(0.2))
        last = layers.Conv2D(1, 7, padding="same", activation="tanh", kernel_initializer=normal, name="last")
        generator.add(last)
        return generator

    def step(self, it: int, mark: Mark) -> Losses:
        d, size = self.draws, self.size
        found: Losses = {"real": [], "fake": []}
        for _ in range(size.rounds):
            real = d.data[d.indices(replace=True)]
            found["real"].append(float(self.critic.train_on_batch(real, signs(True, size.batch))))
            mark("real")
            fake = self.generator.predict(d.latents("critic_latents", size.batch), verbose=0)
            found["fake"].append(float(self.critic.train_on_batch(fake, signs(False, size.batch))))
            mark("fake")
        mark("rounds")
        z = d.latents("generator_latents", size.fakes)
        loss = float(self.both.train_on_batch(z, signs(True, size.fakes)))
        mark("generator")
        return found | {"generator": [loss]}

    def squares(self, moment: str) -> Iterable[tuple[tf.Variable, tf.Variable]]:
        optimizer = (self.both if moment == "generator" else self.critic).optimizer
        moved = [
            w for w in self.critic.weights + self.generator.weights if optimizer._var_key(w) in optimizer._index_dict
        ]
        return [(w, optimizer._velocities[optimizer._index_dict[optimizer._var_key(w)]]) for w in moved]


def main() -> None:
    parser = command("S0 as it ran")
    parser.add_argument(
        "--lr", type=float, default=None, help="learning rate; left out: RMSprop(lr=5e-5), as published"
    )
    found = parser.parse_args()
    keras.backend.set_floatx("float64" if found.record else "float32")
    keras.utils.set_random_seed(found.seed)
    images, labels = mnist("train")
    batch = found.batch or 64
    wide = Size(latent=50, batch=batch // 2, fakes=batch, critic=found.divide, generator=found.divide)
    chosen = labels == DIGIT

    def make(size: Size) -> S0:
        return S0(size, Draws(found.seed, size, images[chosen], labels[chosen]), found.lr)

    program = make(NARROW if found.record else wide)
    rate = float(program.critic.optimizer.learning_rate)
    print(json.dumps({"learning rate": rate}))
    if found.train:
        train(program, found.train, found.folder, found.every)
        return
    facts = {"system": "S0", "lr": rate, "epsilon": 1e-7, "clip": BOUND, "momentum": MOMENTUM, "seed": found.seed}
    record(program, found.record, facts, initial(make(wide)))


if __name__ == "__main__":
    main()

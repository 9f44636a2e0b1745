"""S2, "Wasserstein GAN in Keras" (2017), as it ran: Keras 2.0.8, graph mode, weights that move fixed when a model is compiled.

    python benchmarks/published/as_run_s2.py --record tests/fixtures/published/s2-listed.safetensors
    python benchmarks/published/as_run_s2.py --train 400 --frozen --folder s2-frozen

In the listing nothing is frozen when D(G) is compiled, so the generator's step trains D as well, with accumulators of its own;
--frozen is the version of the sibling copies, which freeze D before that. Either way D drops out in all of its steps.
A record differs from the program in two places: fakes have the labels of the real batch before them, and masks are given.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tensorflow as tf
import tf_keras as keras
from as_run import (
    BOUND,
    Arrays,
    Draws,
    Losses,
    Mark,
    Program,
    Size,
    clip_layers,
    command,
    initial,
    record,
    signs,
    train,
)
from common import mnist
from keras_then import GivenDropout, RMSprop, clipped_cross_entropy, wasserstein
from tf_keras import layers
from tf_keras.initializers import RandomNormal

RATE, EPSILON, DROPPED = 5e-5, 1e-8, 0.3
NARROW = Size(latent=6, batch=8, fakes=8, rounds=3, side=12, critic=32, generator=64)


def normal() -> RandomNormal:
    """Return N(0, 0.02), a new one for each layer: in tf_keras one that is used twice gives the same numbers twice."""
    return RandomNormal(stddev=0.02)


class S2(Program):
    """Both networks and the loop's body."""

    def __init__(self, size: Size, draws: Draws, frozen: bool) -> None:
        self.size, self.draws, self.masks = size, draws, list[tf.Variable]()
        losses = [wasserstein, clipped_cross_entropy]
        self.optimizers = {"critic": RMSprop(RATE, EPSILON), "generator": RMSprop(RATE, EPSILON)}
        self.critic, self.generator = self.make_critic(), self.make_generator()
        self.critic.compile(optimizer=self.optimizers["critic"], loss=losses)
        z, y = keras.Input((size.latent,)), keras.Input((1,), dtype="int32")
        self.both = keras.Model([z, y], self.critic(self.generator([z, y])))
        self.critic.trainable = not frozen
        self.both.compile(optimizer=self.optimizers["generator"], loss=losses)

    def dropout(self, x: tf.Tensor) -> tf.Tensor:
        """Return x after dropout: its own, or by a mask that each call is given."""
        if not self.size.narrow:
            return layers.Dropout(DROPPED)(x)
        mask = keras.backend.ones((self.size.batch, *x.shape[1:]))
        self.masks.append(mask)
        return GivenDropout(DROPPED, lambda: mask)(x)

    def make_critic(self) -> keras.Model:
        """Image -> score [B, 1] and softmax [B, 10]."""
        x = image = keras.Input((self.size.side, self.size.side, 1))
        for i, width in enumerate(self.size.critics(32, 64, 128, 256)):
            x = layers.Conv2D(width, 3, padding="same", kernel_initializer=normal(), name=f"conv{i + 1}")(x)
            # blocks 2 and 4 pool by 1, which does nothing; block 1 pools after its activation, block 3 before
            x = layers.MaxPool2D(2)(layers.LeakyReLU()(x)) if i == 0 else x
            x = layers.LeakyReLU()(layers.MaxPool2D(2 if i == 2 else 1)(x)) if i else x
            x = self.dropout(x)
        x = layers.Flatten()(x)
        return keras.Model(image, [layers.Dense(1, name="score")(x), layers.Dense(10, "softmax", name="class")(x)])

    def make_generator(self) -> keras.Model:
        """z and class -> image; the class's embedding times z."""
        latent, base = self.size.latent, self.size.side // 4
        hidden, first, second, third = self.size.generators(1024, 128, 256, 128)
        z, y = keras.Input((latent,)), keras.Input((1,), dtype="int32")
        chosen = layers.Embedding(10, latent, embeddings_initializer="glorot_uniform", name="embedding")(y)
        x = layers.Multiply()([z, layers.Flatten()(chosen)])
        x = layers.LeakyReLU()(layers.Dense(hidden, name="dense1")(x))
        x = layers.LeakyReLU()(layers.Dense(first * base * base, name="dense2")(x))
        x = layers.Reshape((base, base, first))(x)
        for i, width in enumerate((second, third)):
            x = layers.UpSampling2D(2)(x)
            x = layers.Conv2D(width, 5, padding="same", kernel_initializer=normal(), name=f"grow{i + 1}")(x)
            x = layers.LeakyReLU()(x)
        last = layers.Conv2D(1, 2, padding="same", activation="tanh", kernel_initializer=normal(), name="last")
        return keras.Model([z, y], last(x))

    def draw_masks(self) -> None:
        """Give each dropout of the narrow critic the mask of the next call, and keep it as bits."""
        for i, mask in enumerate(self.masks):
            bits = self.draws.random.random(mask.shape) >= DROPPED
            self.draws.keep(f"mask{i + 1}", np.packbits(bits))
            keras.backend.set_value(mask, bits.astype(keras.backend.floatx()))

    def call(self, model: keras.Model, x: np.ndarray | list[np.ndarray], real: bool, y: np.ndarray) -> list[float]:
        """Return whole loss, score loss and class loss of one training call."""
        self.draw_masks()
        return [float(loss) for loss in model.train_on_batch(x, [signs(real, len(y)), y[:, None]])]

    def step(self, it: int, mark: Mark) -> Losses:
        d, size, found = self.draws, self.size, []
        long = (it % 1000 < 25 or it % 500 == 0) and not size.narrow
        for _ in range(100 if long else size.rounds):
            clip_layers(self.critic)
            mark("clip")
            chosen = d.indices(replace=False)
            y = d.labels[chosen]
            found.append(["real", *self.call(self.critic, d.data[chosen], True, y)])
            mark("real")
            z = d.latents("critic_latents", size.batch)
            y = y if size.narrow else d.classes("critic_classes", size.batch)
            fake = self.generator.predict([z, y[:, None]], verbose=0)
            found.append(["fake", *self.call(self.critic, fake, False, y)])
            mark("fake")
        mark("rounds")
        z, y = d.latents("generator_latents", size.fakes), d.classes("generator_classes", size.fakes)
        found.append(["generator", *self.call(self.both, [z, y[:, None]], True, y)])
        mark("generator")
        kinds = ("", "_score", "_class")
        return {
            f"{who}{kind}": [f[1 + i] for f in found if f[0] == who]
            for who in ("real", "fake", "generator")
            for i, kind in enumerate(kinds)
        }

    def squares(self, moment: str) -> Iterable[tuple[tf.Variable, tf.Variable]]:
        made = self.optimizers["generator" if moment == "generator" else "critic"].made
        return made[0] if made else []

    def fakes(self, z: np.ndarray, classes: np.ndarray) -> np.ndarray:
        return self.generator.predict([z, classes[:, None]], verbose=0)


def wrong_samples() -> Arrays:
    """Return class losses and their gradients in the logits where class 0 is right and class 1 is ahead by a gap."""
    gaps = np.array([-20.0, -5.0, 0.0, 5.0, 15.0, 16.0, 17.0, 20.0, 50.0])
    logits = tf.constant(np.stack([0 * gaps, gaps, *[0 * gaps - 1] * 8], 1))
    labels = tf.zeros((len(gaps), 1), tf.int64)
    loss = clipped_cross_entropy(labels, tf.nn.softmax(logits))
    wanted = {"class/logits": logits, "class/loss": loss, "class/gradient": tf.gradients(loss, logits)[0]}
    return {name: keras.backend.eval(value) for name, value in wanted.items()}


def main() -> None:
    parser = command("S2 as it ran")
    parser.add_argument("--frozen", action="store_true", help="freeze D before D(G) is compiled")
    found = parser.parse_args()
    tf.compat.v1.disable_v2_behavior()
    keras.backend.set_floatx("float64" if found.record else "float32")
    tf.compat.v1.set_random_seed(found.seed)
    images, labels = mnist("train", "t10k")
    batch = found.batch or 100
    wide = Size(latent=100, batch=batch, fakes=batch, critic=found.divide, generator=found.divide)

    def make(size: Size) -> S2:
        return S2(size, Draws(found.seed, size, images, labels), found.frozen)

    program = make(NARROW if found.record else wide)
    if found.train:
        train(program, found.train, found.folder, found.every)
        return
    facts = {"system": "S2", "frozen": int(found.frozen), "lr": RATE, "epsilon": EPSILON, "clip": BOUND}
    facts |= {"dropout": DROPPED, "seed": found.seed}
    record(program, found.record, facts, wrong_samples() | initial(make(wide)))


if __name__ == "__main__":
    main()

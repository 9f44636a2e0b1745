"""Parts of Keras as it was when S0, S2 and S3 ran, where tf_keras 2.21 differs: optimizer, batch norm, cross-entropy, dropout.

Read in Keras's own sources at 2.0.8 (S2), 2.2.2 (S3) and 2.11 to 2.15 (S0); what is not here, tf_keras still does as they did.
Everything takes float64, so that a comparison is not about rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras as keras
from tf_keras.src import backend
from tf_keras.src.optimizers import optimizer_v1

EPSILON = 1e-3  # of batch norm


def wasserstein(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """Mean of sign times score: -1 for real, 1 for fake, and -1 for the fakes of the generator's step."""
    return keras.backend.mean(y_true * y_pred)


def clipped_cross_entropy(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """Keras 2.0's sparse_categorical_crossentropy: labels [B, 1], softmax [B, K] clipped to [1e-7, 1 - 1e-7] -> [B].

    tf_keras looks behind the softmax for its logits and clips nothing: there a confidently wrong sample has a gradient.
    """
    epsilon = tf.constant(1e-7, y_pred.dtype)
    logits = tf.math.log(tf.clip_by_value(y_pred, epsilon, 1 - epsilon))
    labels = tf.cast(tf.reshape(y_true, [-1]), tf.int64)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


class RMSprop(optimizer_v1.RMSprop):
    """RMSprop of Keras 2.0 to 2.10: p - lr g / (sqrt(a) + epsilon), with a = 0.9 a + 0.1 g^2.

    Accumulators are made once for each training function, also where two models share one optimizer: `made` lists them.
    """

    def __init__(self, lr: float, epsilon: float) -> None:
        super().__init__(lr=lr, rho=0.9, epsilon=epsilon)
        self.made: list[list[tuple[tf.Variable, tf.Variable]]] = []

    def _create_all_weights(self, params: list[tf.Variable]) -> list[tf.Variable]:
        accumulators = super()._create_all_weights(params)
        self.made.append(list(zip(params, accumulators, strict=True)))
        return accumulators


class BatchNorm(keras.layers.Layer):
    """What the two batch norms below share: gain, bias, moving statistics over all axes but the last."""

    def __init__(self, momentum: float, **names: Any) -> None:
        super().__init__(**names)
        self.momentum = momentum

    def build(self, shape: tf.TensorShape) -> None:
        width = (int(shape[-1]),)
        self.gamma = self.add_weight("gamma", width, initializer="ones")
        self.beta = self.add_weight("beta", width, initializer="zeros")
        self.moving_mean = self.add_weight("moving_mean", width, initializer="zeros", trainable=False)
        self.moving_variance = self.add_weight("moving_variance", width, initializer="ones", trainable=False)
        super().build(shape)

    def moments(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return mean, variance and count of each channel."""
        axes = list(range(len(x.shape) - 1))
        mean, variance = tf.nn.moments(x, axes)
        return mean, variance, tf.cast(tf.reduce_prod(tf.shape(x)[:-1]), x.dtype)

    def normalised(self, x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
        """Return gain * (x - mean) / sqrt(variance + epsilon) + bias."""
        return tf.nn.batch_normalization(x, mean, variance, self.beta, self.gamma, EPSILON)


class BatchNorm222(BatchNorm):
    """Batch norm of Keras 2.1.4 to 2.2.4: the batch's own statistics whenever it trains, whatever `trainable` says.

    The moving variance is that of TensorFlow's fused kernel, n / (n - 1) of the batch's, times n / (n - 1.001): twice
    unbiased. Both moving statistics are zero-debiased: their first update forgets the initial 0 and 1 altogether.
    """

    def call(self, x: tf.Tensor) -> tf.Tensor:
        mean, variance, n = self.moments(x)
        kept = variance * (n / (n - 1)) * (n / (n - (1 + EPSILON)))
        update = keras.backend.moving_average_update  # zero-debiased where TensorFlow 2's behaviour is off
        self.add_update(
            [update(self.moving_mean, mean, self.momentum), update(self.moving_variance, kept, self.momentum)]
        )
        own = self.normalised(x, mean, variance)
        return keras.backend.in_train_phase(own, lambda: self.normalised(x, self.moving_mean, self.moving_variance))


def start_averages() -> None:
    """Set to 0 what zero-debiasing keeps beside the moving statistics: Keras 2.2 did that unasked, tf_keras does not."""
    kept = [
        w for w in tf.compat.v1.global_variables() if w.op.name.rpartition("/")[2].startswith(("biased", "local_step"))
    ]
    backend.get_session(()).run(tf.compat.v1.variables_initializer(kept))


class BatchNorm211(BatchNorm):
    """Batch norm of Keras 2.11 to 2.15 with TensorFlow 2: the fused layer's numbers, in any dtype; frozen = inference."""

    def call(self, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if not training or not self.trainable:
            return self.normalised(x, self.moving_mean, self.moving_variance)
        mean, variance, n = self.moments(x)
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance * (n / (n - 1)))):
            moving.assign_sub((moving - now) * (1 - self.momentum))
        return self.normalised(x, mean, variance)


class GivenDropout(keras.layers.Layer):
    """Dropout by a mask from outside: x * mask / (1 - rate) when it trains."""

    def __init__(self, rate: float, mask: Callable[[], tf.Variable], **names: Any) -> None:
        super().__init__(**names)
        self.rate, self.mask = rate, mask  # a function: as a variable of the layer it would be clipped with the weights

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return keras.backend.in_train_phase(x * self.mask() / (1 - self.rate), x)

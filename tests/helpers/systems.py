"""The small systems that every theorem is tried on: what can carry state from one step to the next."""

from __future__ import annotations

from helpers.problems import (
    KERAS,
    boxes,
    images,
    images_config,
    points,
    points_config,
    scans,
    signals_config,
    told_points,
    volumes_config,
    waves,
)
from wgan.config import Config
from wgan.data import Source

TOLD = {"conditioning": "concat", "critic_conditioning": "projection"}

SYSTEMS: dict[str, tuple[Config, Source]] = {
    "mlp, clipping, RMSProp": (points_config(objective="wgan-clip", optimizer="rmsprop", lr=1e-3), points()),
    "mlp, Keras's RMSProp in two halves, shared batches": (
        points_config(
            objective="wgan-clip",
            **KERAS,
            critic_update="separate",
            real_batches="shared",
            generator_latents="last",
        ),
        points(),
    ),
    "conv, dropout, auxiliary classes": (
        images_config(
            dropout=0.4, class_critic=1.0, class_generator=1.0, conditioning="product", ema=0.0, objective="wgan-lp"
        ),
        images(),
    ),
    "conv, batch norm, average, momentum": (images_config(ema=0.9, beta1=0.5, conditioning="norm"), images()),
    "conv, batch norm in the critic": (
        images_config(objective="gan", critic_norm="batch", ema=0.9, critic_conditioning="none"),
        images(),
    ),
    "conv, spectral norm, iid": (images_config(objective="hinge", critic_norm="spectral", sampling="iid"), images()),
    "conv, augmented and mirrored": (images_config(augment=0.5, flip=1, n_critic=1), images()),
    "conv, adaptive augmentation": (images_config(augment_target=0.3, augment=0.2), images(120)),
    "resnet, conditional norm, layer norm": (
        images_config(
            generator="resnet",
            generator_layers="/ 8 6x2 / k3",
            critic="resnet",
            critic_layers="6x2 8x2 /",
            critic_norm="layer",
        ),
        images(),
    ),
    "conv, critic moved by the generator's step, running fakes": (
        images_config(
            objective="wgan-clip",
            critic_norm="batch",
            critic_update="separate",
            clip_when="before-pair",
            critic_fakes="running",
            generator_moves="critic",
            class_critic=1.0,
            class_clip=1e-7,
            **KERAS,
        ),
        images(),
    ),
    "conv1d, conditional norm, average": (signals_config(ema=0.9, beta1=0.5), waves()),
    "conv1d, repeated, pooled, dropout, spectral norm": (
        signals_config(
            objective="hinge",
            upsample="nearest",
            generator_layers="/ 8 6k5x3 / k5",
            critic_layers="6k8p2 8k3x2 /",
            critic_norm="spectral",
            dropout=0.3,
        ),
        waves(),
    ),
    "resnet1d, conditional norm, layer norm": (
        signals_config(
            generator="resnet1d",
            generator_layers="/ 8 6k5x3 / k3",
            critic="resnet1d",
            critic_layers="6k5x4 8x2 /",
            critic_norm="layer",
        ),
        waves(),
    ),
    "conv3d, conditional norm, average": (volumes_config(ema=0.9, beta1=0.5), boxes()),
    "conv3d, repeated, pooled, dropout, spectral norm": (
        volumes_config(
            objective="hinge",
            upsample="nearest",
            critic_layers="4k3p2 6k3 /",
            critic_norm="spectral",
            dropout=0.3,
        ),
        boxes(),
    ),
    "mlp, conditions beside the latents": (points_config(**TOLD, ema=0.9, beta1=0.5), told_points()),
    "mlp, conditions in batch norms": (
        points_config(**{**TOLD, "conditioning": "norm"}, generator_norm="batch", ema=0.9),
        told_points(),
    ),
    "conv, rectangles of floats by conditions": (
        images_config(**{**TOLD, "conditioning": "norm"}, output="linear", ema=0.9, beta1=0.5),
        scans(),
    ),
    "conv, bf16": (images_config(precision="bf16"), images()),
    "mlp, packed relativistic pairs": (points_config(objective="r3gan", pack=2, beta1=0.5, ema=0.5), points()),
}
FAST = ["mlp, clipping, RMSProp", "conv, batch norm, average, momentum"]

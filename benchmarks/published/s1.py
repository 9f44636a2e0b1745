"""S1, "Deep Learning with PyTorch, GAN, WGAN": digits, two MLPs, plain PyTorch.

A generator step is five batches: each updates the critic, and every fifth the generator on the same fakes.

    python benchmarks/published/s1.py --steps 20
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from common import main
from torch import nn
from torch_digits import loader


def make_networks() -> tuple[nn.Module, nn.Module]:
    generator = nn.Sequential(
        nn.Linear(100, 256),
        nn.ReLU(),
        nn.Linear(256, 512),
        nn.ReLU(),
        nn.Linear(512, 1024),
        nn.ReLU(),
        nn.Linear(1024, 784),
        nn.Tanh(),
        nn.Unflatten(1, (1, 28, 28)),
    )
    critic = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1)
    )
    return generator, critic


def steps() -> Iterator[None]:
    generator, critic = make_networks()
    generator_optimizer = torch.optim.RMSprop(generator.parameters(), lr=5e-5)
    critic_optimizer = torch.optim.RMSprop(critic.parameters(), lr=5e-5)
    batches = loader()
    while True:
        for i, (real, _) in enumerate(batches):
            fake = generator(torch.randn(real.shape[0], 100))
            critic_optimizer.zero_grad()
            critic_loss = critic(fake.detach()).mean() - critic(real).mean()
            critic_loss.backward()
            critic_optimizer.step()
            for p in critic.parameters():
                p.data.clamp_(-0.01, 0.01)
            if i % 5 == 0:
                generator_optimizer.zero_grad()
                generator_loss = -critic(fake).mean()
                generator_loss.backward()
                generator_optimizer.step()
            if i % 5 == 4:
                yield
        critic_loss.item(), generator_loss.item()  # printed at the end of each epoch


if __name__ == "__main__":
    main("S1", steps, {"torch": torch.__version__})

"""S4, "WGAN in PyTorch": digits, two small MLPs, plain PyTorch; five critic updates on each real batch.

python benchmarks/published/s4.py --steps 50
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from common import main
from torch import nn
from torch_digits import loader


def make_networks() -> tuple[nn.Module, nn.Module]:
    generator = nn.Sequential(
        nn.Linear(100, 128), nn.ReLU(), nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 784), nn.Tanh()
    )
    critic = nn.Sequential(
        nn.Linear(784, 256), nn.LeakyReLU(0.2), nn.Linear(256, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)
    )
    return generator, critic


def steps() -> Iterator[None]:
    generator, critic = make_networks()
    generator_optimizer = torch.optim.RMSprop(generator.parameters(), lr=5e-5)
    critic_optimizer = torch.optim.RMSprop(critic.parameters(), lr=5e-5)
    batches = loader()
    while True:
        for real, _ in batches:
            real = real.view(-1, 784)
            for _ in range(5):
                fake = generator(torch.randn(real.shape[0], 100)).detach()
                critic_optimizer.zero_grad()
                critic_loss = -(critic(real).mean() - critic(fake).mean())
                critic_loss.backward()
                critic_optimizer.step()
                for p in critic.parameters():
                    p.data.clamp_(-0.01, 0.01)
            generator_optimizer.zero_grad()
            generator_loss = -critic(generator(torch.randn(real.shape[0], 100))).mean()
            generator_loss.backward()
            generator_optimizer.step()
            yield


if __name__ == "__main__":
    main("S4", steps, {"torch": torch.__version__})

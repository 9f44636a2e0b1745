"""Rendezvous of the processes of one run, from the environment variables of torchrun, Slurm and Kubernetes.

RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT; without WORLD_SIZE a process is alone,
without LOCAL_RANK it is the only one on its machine.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import torch
import torch.distributed as dist

from wgan.distributed.group import PATIENCE, Group
from wgan.errors import LostContact, WganError


def world_size() -> int:
    """Return how many processes the environment says there are."""
    return whole_from_environment("WORLD_SIZE", 1)


def whole_from_environment(name: str, default: int) -> int:
    """Return a whole number from the environment; WganError for anything else."""
    text = os.environ.get(name, "") or str(default)
    if not text.isdecimal():
        raise WganError(f"the environment variable {name} must be a whole number, not '{text}': start with torchrun")
    return int(text)


def rendezvous(patience: float) -> dist.Store:
    """Return the store through which the processes find each other, as the environment says."""
    store, _, _ = next(dist.rendezvous("env://", timeout=timedelta(seconds=patience)))
    return store  # type: ignore[no-any-return]


def name_of_group(store: dist.Store, rank: int, world: int, patience: float) -> str:
    """Return the name that rank 0 has drawn for this group; RuntimeError when not all have heard it in time.

    The store of torchrun's agent outlives a restart, and holds the addresses of processes that are gone: what a group
    writes there goes under a name of its own. Each process asks with a word of its own, so that no old answer fits.
    """
    # 1. Rank r > 0 draws a word and writes it under asks/r: "I am here, and this is how to answer me".
    # 2. Rank 0 answers each new word with the group's name, under name/WORD. A rank that was restarted has a new word,
    #    so it cannot read the answer that its predecessor got from a rank 0 that is gone.
    # 3. Rank r reads the name and confirms it under heard/NAME/r.
    # 4. Rank 0 returns when all have confirmed its own name: then nobody holds another group's.
    mine, end = uuid.uuid4().hex, time.monotonic() + patience
    heard: dict[int, str] = {}
    if rank:
        store.set(f"wgan/asks/{rank}", mine)
    while time.monotonic() < end:
        if rank and store.check([f"wgan/name/{mine}"]):
            name = str(store.get(f"wgan/name/{mine}").decode())
            store.set(f"wgan/heard/{name}/{rank}", "yes")
            return name
        if not rank:
            for other in range(1, world):
                if not store.check([f"wgan/asks/{other}"]):
                    continue
                word = store.get(f"wgan/asks/{other}").decode()
                if heard.get(other) != word:
                    store.set(f"wgan/name/{word}", mine)
                    heard[other] = word
            if store.check([f"wgan/heard/{mine}/{other}" for other in range(1, world)]):
                return mine
        time.sleep(0.02)
    raise RuntimeError("not all processes came")


@contextmanager
def formed(patience: float = PATIENCE) -> Iterator[Group]:
    """Within the block this process belongs to the group that its environment names; alone without one."""
    rank, world = whole_from_environment("RANK", 0), world_size()
    if world == 1:
        yield Group()
        return
    if rank >= world:
        raise WganError(f"RANK {rank} is not below WORLD_SIZE {world}: start with torchrun")
    local, beside = whole_from_environment("LOCAL_RANK", 0), whole_from_environment("LOCAL_WORLD_SIZE", 1)
    if dist.is_initialized():  # by the user's own program
        yield Group(rank, world, local, beside, patience)
        return
    if torch.cuda.is_available():  # reviewed, not yet run on a GPU
        torch.cuda.set_device(local % torch.cuda.device_count())
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"  # words go by the CPU, averages by the GPU
    try:
        store = rendezvous(patience)
        store = dist.PrefixStore(name_of_group(store, rank, world, patience), store)
        dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=timedelta(seconds=patience))
    except (RuntimeError, ValueError) as error:
        raise unreachable(error, rank, world, patience) from None
    try:
        yield Group(rank, world, local, beside, patience, store)
    finally:
        with suppress(RuntimeError):
            dist.destroy_process_group()


def unreachable(error: Exception, rank: int, world: int, patience: float) -> WganError:
    """Return in one sentence why the processes did not find each other."""
    where = f"{os.environ.get('MASTER_ADDR', '')}:{os.environ.get('MASTER_PORT', '')}"
    text = str(error)
    if "EADDRINUSE" in text or "address already in use" in text.lower():
        return WganError(f"port {where.rpartition(':')[2]} is in use on this machine: set another MASTER_PORT")
    if match := re.search(r"environment variable (\w+) expected", text):
        return WganError(f"WORLD_SIZE is {world} but {match[1]} is not set: start with torchrun, or set it")
    return LostContact(
        f"process {rank} of {world} did not reach the others at {where} within {patience:g} s: are all started, with the "
        "same address, and the port open?"
    )

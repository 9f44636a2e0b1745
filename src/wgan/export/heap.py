"""What glibc keeps of the memory that the threads of `wgan serve` give back. No dependency."""

from __future__ import annotations

import ctypes

M_ARENA_MAX = -8  # of <malloc.h>


def share_one_heap() -> bool:
    """Let the threads of this process that start from now on allocate from one heap; return whether its C library can.

    glibc gives each thread a heap of its own, up to eight for each core. An answer is made in one thread and taken down in
    another, so every heap grows to the largest answers that its thread ever made: slowly, and for nothing, since one
    thread computes at a time. It is for a process that does nothing else, and must come before its threads.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1))
    except (AttributeError, OSError, TypeError):  # another C library: macOS, Windows
        return False

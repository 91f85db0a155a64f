"""How memory is kept in a process that lives for months and keeps a million small things."""

import ctypes
import gc
import sys

# From malloc.h of the GNU C library; what they do: mallopt(3).
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_LARGE = 128 * 1024  # bytes


def settle() -> None:
    """Have memory looked after as suits us. To be called once, when all is imported.

    Before any thread is started: where memory comes from is settled by then.

    What the detector keeps is not garbage; to look through it takes a quarter of the
    detector's time, and stops a poll for a fifth of a second, so Python looks less often.
    """
    if sys.platform == "linux":
        _share_one_heap()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _share_one_heap() -> None:
    """Have all threads share one heap, and give large pieces back to the system at once.

    Each database connection has a thread, and by default a heap of its own. What one gives
    back another cannot use, so the heaps grow for weeks though no more is in use.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # not every C library has it
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)

"""How often Python looks for garbage in a process that keeps a million small things."""

import gc


def settle() -> None:
    """Look less often. To be called once, when all is imported.

    What the detector keeps is not garbage; to look through it takes a quarter of the
    detector's time, and stops a poll for a fifth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)

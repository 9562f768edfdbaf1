"""The clock of the story: `at(t0, s)` sleeps until second s after t0, and says so."""

import sys
import time


def t0() -> float:
    """Start of the story, as seconds since 1970, from the command line."""
    return float(sys.argv[1])


def at(start: float, second: float, what: str = "") -> None:
    """Sleeps until `second` of the story."""
    wait = start + second - time.time()
    if wait > 0:
        time.sleep(wait)
    if what:
        print(f"{second:7.2f} {what}", flush=True)


def attempt(what: str, step):
    """Runs one step; a refusal is part of a story, so it is printed and the story goes on."""
    try:
        print(f"        {what}: {step()!r}"[:200], flush=True)
    except Exception as error:  # any refusal of a device or library
        print(f"        {what}: {type(error).__name__}: {error}"[:200], flush=True)

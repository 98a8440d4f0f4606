"""How a serving process runs: its event loop, and its garbage collector."""

import asyncio
import gc


def runner() -> asyncio.Runner:
    try:
        import uvloop  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def calm_collector() -> None:
    """What is there now stays for good, and a mail leaves no cycles: looking for them takes a twentieth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)

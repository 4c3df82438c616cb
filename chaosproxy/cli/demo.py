"""``chaosproxy demo``: what it is all about, without a key and without a file."""

from __future__ import annotations


def demo() -> None:
    """See four faults hit one question, in about 20 seconds.

    Example: chaosproxy demo
    """
    import asyncio

    from chaosproxy.cli.acts import play

    asyncio.run(play())

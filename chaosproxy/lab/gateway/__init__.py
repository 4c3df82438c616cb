"""A gateway in front of several LLM servers: a thing to drill on, not a product.

    client -> service -> call -> resilient | naive -> exchange -> upstream

``health``, ``capability``, ``schedule``, ``tally`` and ``speech`` decide and know no socket; ``behaviour`` says what
makes a mutant.
"""

from chaosproxy.lab.gateway.service import Gateway, run_gateway

__all__ = ["Gateway", "run_gateway"]

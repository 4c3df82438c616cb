"""Break LLM connections on purpose, and prove whether the system behind them falls back and recovers.

The rooms stand in the order in which data travels; a module imports only from rooms above its own:

    errors units events dice     the words: who is at fault, quantities, timed events, repeatable chance
    wire/                        bytes <-> frames, and what a frame means in a provider's dialect
    faults/                      pure functions over timed events, and the chain that runs them
    plan/                        which faults act now, for whom, and for how long (leases)
    journal/                     the record of everything that happened
    steady_state/                measures and verdicts, computed from a journal and nothing else
    experiment/                  the experiment file
    ------------------------------ everything above does no I/O and reads no clock
    proxy/ lab/ control/ runner/ report/ shipped/ cli/ fixture/
"""

__version__ = "0.1.0"

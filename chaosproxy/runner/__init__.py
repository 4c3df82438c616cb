"""One experiment, from warm-up to healed.

``parts`` are the processes that a run starts, ``recorder`` gathers what they report, ``conductor`` applies faults at
their times and keeps their leases, ``checks`` looks for reasons to stop, ``story`` tells it all in order, and ``run``
judges it.
"""

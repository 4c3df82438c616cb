"""One experiment, from warm-up to healed.

``parts`` are the processes that a run starts, ``recorder`` gathers what they report, ``conductor`` applies faults at
their times and keeps their leases, ``watch`` looks for reasons to stop, ``run`` tells the whole story in order.
"""

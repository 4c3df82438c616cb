"""Which faults act now, for whom, and for how long.

``rule`` is what an experiment or a flag asks for, ``counters`` what must be counted over exchanges, ``plan`` the state
of one proxy: leases, flaps and the decision for each exchange.
"""

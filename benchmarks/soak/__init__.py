"""The soak: hours of a plan that never rests, and what of it is left in the proxy.

``changes`` the plans, ``visitors`` clients that the load has not, ``scene`` all processes, ``conductor`` what happens
when, ``watch`` the proxy's figures over time, ``audit`` the sums of the journal, ``bars`` the verdicts, ``page`` the
table, ``__main__`` the command.
"""

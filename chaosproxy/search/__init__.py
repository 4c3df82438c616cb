"""The search for a set of faults under which a client breaks its promise: what is tried, and what counts as broken.

Pure: ``strategies`` says which plans there are, ``observation`` what one of them came to, ``promise`` what is wrong
with that; ``systematic`` goes through all plans of a kind, and ``minimize`` makes an experiment that deviated smaller.
The world in which a plan is run, and everything that waits, is in ``runner``.
"""

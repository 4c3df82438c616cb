"""The search for a set of faults under which a client breaks its promise: what is tried, and what counts as broken.

Pure: ``strategies`` says which plans there are, ``observation`` what one of them came to, ``promise`` what is wrong
with that. The world in which a plan is run, and everything that waits, is in ``runner``.
"""

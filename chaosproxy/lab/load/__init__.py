"""The open-loop load: calls as an SDK would send them, each recorded as its client saw it.

``arrivals`` and ``ask`` know what is sent when, ``transcript`` what came back, and none of the three does I/O;
``sender`` sends in the running loop, ``__main__`` is the process around it.
"""

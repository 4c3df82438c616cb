"""The data plane: listeners in front of upstreams, and the faults of a plan in between.

    client -> Listener -> Connection -> Reception -> Pump -> Upstream        the request
    client <- ClientWire <---------------------------- Pump <- Upstream      the answer, through the chain

``Proxy`` owns the plan, its timers and all listeners, and lives in one event loop of the caller's choice: it starts no
thread and no process, sets no policy and handles no signal. The pump sees only the callback edges of ``edges``.
"""

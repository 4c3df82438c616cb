"""The control plane: how a runner, a person or a test drives a proxy.

``messages`` what is said, ``routes`` every request and ``openapi`` their document; ``desk`` decides what may be done,
with ``claims`` and ``hits``; ``events`` the journal on the wire; ``api`` the server with its ``guard``, ``client`` its
only other end; ``page`` what people see of it, with ``experiments`` that they start; ``stop_file`` the stop button
without a network; ``serve`` a proxy with all of it as one process.
"""

"""The control plane: how a runner, a person or a test drives a proxy.

``messages`` what is said, ``events`` the journal on the wire, ``api`` the server, ``client`` its only other end, and
``serve`` a proxy with its control API as one process.
"""

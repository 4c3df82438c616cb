"""The byte level of the data plane: any TCP port, with toxics on its connections.

    client --> Side --> Link (chain of toxics) --> Side --> upstream
    client <-- Side <-- Link (chain of toxics) <-- Side <-- upstream

A ``Relay`` is one client's connection and its upstream; ``TcpProxy`` owns a port, its relays and its toxics.
"""

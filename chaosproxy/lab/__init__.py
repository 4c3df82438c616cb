"""What we ship to drill on: mock backends, a naive and a resilient gateway, and the open-loop load.

Every part can be started inside a given event loop, or as a process of its own (``part`` has the rules for both).
"""

"""Active probes: one module per kind, each with ``begin``, which returns the function that looks once."""

from __future__ import annotations

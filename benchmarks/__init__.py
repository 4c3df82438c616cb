"""Measurements of speed and size. A package, because a library that we test with brings a ``benchmarks`` of its own."""

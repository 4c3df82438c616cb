"""Measures and verdicts, computed from a journal and the claims of an experiment, and from nothing else."""

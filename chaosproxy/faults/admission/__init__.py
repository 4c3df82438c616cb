"""Before the upstream is asked: an answer of ours, or none."""

"""Looking for the faults that matter: what to try next, and what to make of it. Whoever drives it runs the trials."""

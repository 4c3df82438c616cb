"""The TCP level: a Toxiproxy server of somebody else's, through toxiproxy-python, or our own engine."""

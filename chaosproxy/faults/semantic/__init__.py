"""A valid envelope with the wrong words."""

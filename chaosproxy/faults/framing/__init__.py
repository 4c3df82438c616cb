"""The same words in a broken envelope."""

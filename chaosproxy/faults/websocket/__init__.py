"""Faults on the messages that an upstream sends over a WebSocket."""

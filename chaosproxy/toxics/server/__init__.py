"""A drop-in server of Toxiproxy's HTTP API, on our own engine: docs/toxiproxy.md."""

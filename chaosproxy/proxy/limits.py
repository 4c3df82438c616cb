"""Every bound of the data plane, with its name and default."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """What one proxy allows. Sizes in bytes, times in seconds."""

    header_bytes: int = 32 * KIB
    """The longest request line or header field, beyond which a request is answered with 400; the longest head of an
    answer, beyond which it is a 502."""
    header_fields: int = 128
    """The most header fields of a request, beyond which it is answered with 400."""
    body_bytes: int = 4 * MIB
    """As much of a request body is kept to find model, stream flag and call tag; a longer one is streamed on unread."""
    answer_bytes: int = 4 * MIB
    """As much of a plain answer is kept to read its text for the journal; a longer one passes unread."""
    unsent_bytes: int = 64 * KIB
    """When this much waits for a slow client, the upstream is paused."""
    unread_bytes: int = 64 * KIB
    """When this much waits for us, the upstream's socket is paused."""
    held_bytes: int = 8 * MIB
    """When the faults of one exchange hold back this much, the upstream is paused."""
    connections: int | None = None
    """Open client connections of one proxy; a further one gets a 503. None: as many as file descriptors allow, at most
    10,000. More than they allow is never accepted."""
    handshake_s: float = 10.0
    """From the connection to the end of its TLS handshake; beyond it the connection is closed."""
    head_s: float = 30.0
    """From the first byte of a request to the end of its head; beyond it the request is answered with 408."""
    body_s: float = 600.0
    """From the head of a request to the end of its body, or to ``body_bytes`` of it; beyond it the request is answered
    with 408, however steadily it trickles."""
    connect_s: float = 10.0
    """Name resolution, TCP and TLS together; beyond it the request is answered with 504."""
    idle_s: float = 600.0
    """Silence of an upstream that was asked and has not ended, or of a client inside its request body; and how long a
    client may take nothing of an answer that waits for it."""
    reset_s: float = 5.0
    """How long a reset waits for a client that has not taken what was sent before it."""
    keepalive_s: float = 620.0
    """How long an idle client connection stays open: longer than clients keep theirs in a pool."""
    pooled_s: float = 4.0
    """How long an idle upstream connection is kept for reuse: less than the 5 s after which many servers close it."""
    linger_s: float = 10.0
    """How long a request body that is still coming is read, and forgotten, after its answer has ended."""
    drain_s: float = 30.0
    """How long an upstream is still read after a fault ended the client's side, to count what it sends."""
    drain_bytes: int = 16 * MIB
    """The same, in bytes."""
    stop_s: float = 1.5
    """How long open exchanges may take to end when the proxy stops."""
    calls: int = 100_000
    """Calls whose attempts are counted; beyond it the oldest is forgotten."""

"""TLS in front of a listener's connections, over the transport that stands below it.

    client  <-  raw transport  <-  TlsLayer  <-  SecureTransport  <-  Connection

The event loops' own TLS ends every connection properly, and wrong ends are what this project is for. So the records
are made here (ssl.MemoryBIO), and the ends are those of the plain listener:

    close(), write_eof()    close_notify, then FIN: a clean end
    tear()                  FIN alone: somebody pulled the plug
    abort()                 no close_notify either; with SO_LINGER 0 an RST
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from chaosproxy.proxy.secure_transport import SecureTransport

GOODBYE_S = 1.0
"""How long a client whose handshake failed has to read why."""
RECORDS_BYTES = 256 * 1024
"""How much is decrypted at once."""

PLAIN_HTTP = "tls_plain_http"
DISTRUSTED = "tls_distrusted"
TIMEOUT = "tls_timeout"
LEFT = "tls_left"
FAILED = "tls_handshake"

_LEFT_WORDS = "a client left during its handshake; perhaps it does not trust our certificate, and says so on its side"
_ALERTS = ("UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN", "CERTIFICATE_EXPIRED", "UNSUPPORTED_CERTIFICATE")


def failure(error: ssl.SSLError) -> tuple[str, str]:
    """The kind of a handshake that failed, and words for the log."""
    reason = error.reason or ""
    if reason in ("HTTP_REQUEST", "HTTPS_PROXY_REQUEST"):
        return PLAIN_HTTP, "plain HTTP came to a TLS listener: the client's base URL must begin with https://"
    words = reason.lower().replace("_", " ") or str(error)
    if "ALERT" in reason and reason.endswith(_ALERTS):
        advice = "its trust store needs our authority, and the certificate the name that it calls"
        return DISTRUSTED, f"a client does not accept our certificate ({words}): {advice}"
    return FAILED, f"no TLS could be agreed on: {words}"


class TlsLayer(asyncio.Protocol):
    """What a raw transport talks to. ``inner`` is made known at once, and gets data after the handshake.

    ``failed`` is told why a handshake came to nothing (kind, words); a client that leaves without a byte is no news.
    ``in_the_clear`` is what one is told that speaks plain HTTP.
    """

    def __init__(
        self,
        inner: asyncio.Protocol,
        context: ssl.SSLContext,
        handshake_s: float,
        failed: Callable[[str, str], None],
        in_the_clear: bytes = b"",
    ) -> None:
        self.inner = inner
        self.ready = False  # the handshake is done
        self._in_the_clear = in_the_clear
        self._handshake_s = handshake_s
        self._failed = failed
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl_object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._raw: asyncio.Transport | None = None
        self._unsent: list[bytes] = []  # written before the handshake was done
        self._timer: asyncio.TimerHandle | None = None
        self._heard = False
        self._paused = False
        self._finished = False  # our side: a FIN follows what was written
        self._closing = False
        self._ended = False  # their side, below
        self._told_eof = False

    # what the raw transport tells it ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast(asyncio.Transport, transport)
        self._timer = asyncio.get_running_loop().call_later(self._handshake_s, self._give_up)
        self.inner.connection_made(SecureTransport(self, self._raw))

    def data_received(self, data: bytes) -> None:
        self._heard = True
        self._incoming.write(data)
        self._advance()

    def eof_received(self) -> bool:
        self._ended = True
        if not self.ready:
            if self._heard:
                self._tell(LEFT, _LEFT_WORDS)
            self.close()
        self._advance()
        return True  # when to close is decided here, and by what is above

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._stop_timer()
        if not self.ready and self._heard and exc is not None:
            self._tell(LEFT, _LEFT_WORDS)
        self.inner.connection_lost(exc)

    # what the transport above it tells it ----------------------------------------------------------------------------

    @property
    def closing(self) -> bool:
        """Nothing more can be sent."""
        return self._closing or self._raw is None or self._raw.is_closing()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Encrypt and send; nothing after the end."""
        if self._finished or self.closing or not data:
            return
        if self.ready:
            self._encrypt(data)
            self._flush()
        else:
            self._unsent.append(bytes(data))

    def finish(self, *, cleanly: bool) -> None:
        """FIN after what was written; ``cleanly``: after a close_notify."""
        if self._finished or self.closing:
            return
        self._finished = True
        if cleanly and self.ready:
            self._notify()
        cast(asyncio.Transport, self._raw).write_eof()

    def close(self) -> None:
        """End the connection after what was written."""
        if self.closing:
            return
        if self.ready and not self._finished:
            self._notify()
        self._closing = self._finished = True
        self._stop_timer()
        cast(asyncio.Transport, self._raw).close()

    def abort(self) -> None:
        """End it now, without a word."""
        self._closing = self._finished = True
        self._stop_timer()
        if self._raw is not None:
            self._raw.abort()

    def pause(self) -> None:
        """Read no more for now; what has come already stays as it is, encrypted. The handshake goes on all the same."""
        self._paused = True
        self._pause_raw()

    def resume(self) -> None:
        """Read again, and hand up what is there, in a later turn of the loop."""
        if not self._paused:
            return
        self._paused = False
        if self.ready and self._raw is not None and not self.closing:
            self._raw.resume_reading()
            asyncio.get_running_loop().call_soon(self._advance)

    # inside ----------------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        if self.closing:
            return
        try:
            if self.ready or self._shake_hands():
                self._decrypt()
        except ssl.SSLError as error:
            self._broken(error)

    def _shake_hands(self) -> bool:
        try:
            self.ssl_object.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        self.ready = True
        self._stop_timer()
        unsent, self._unsent = self._unsent, []
        for data in unsent:
            self._encrypt(data)
        self._flush()
        if self._paused:
            self._pause_raw()
        return True

    def _pause_raw(self) -> None:
        if self.ready and self._raw is not None and not self.closing:
            self._raw.pause_reading()

    def _decrypt(self) -> None:
        while not self._paused and not self.closing:
            try:
                data = self.ssl_object.read(RECORDS_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                data = b""
            if not data:
                self._eof()
                break
            self.inner.data_received(data)
        self._flush()
        if self._ended and not self._paused:
            self._eof()

    def _eof(self) -> None:
        """The client's close_notify or its FIN, whichever is first; HTTP knows where a body ends."""
        if not self._told_eof and not self.closing:
            self._told_eof = True
            if not self.inner.eof_received():
                self.close()

    def _encrypt(self, data: bytes | bytearray | memoryview[Any]) -> None:
        written = self.ssl_object.write(data)
        while written < len(data):
            written += self.ssl_object.write(data[written:])

    def _flush(self) -> None:
        if self._outgoing.pending and self._raw is not None and not self._raw.is_closing():
            self._raw.write(self._outgoing.read())

    def _notify(self) -> None:
        with suppress(ssl.SSLError):  # the client has not said goodbye yet, and need not
            self.ssl_object.unwrap()
        self._flush()

    def _broken(self, error: ssl.SSLError) -> None:
        """A handshake that fails, or bytes that are no records."""
        if self._finished:
            return  # what still comes after our end does not matter
        raw = cast(asyncio.Transport, self._raw)
        if self.ready:
            self._flush()  # the alert
            self._closing = self._finished = True
            raw.close()
            return
        kind, words = failure(error)
        self._tell(kind, words)
        if kind == PLAIN_HTTP:
            raw.write(self._in_the_clear)
        else:
            self._flush()
        self._closing = self._finished = True
        self._stop_timer()
        raw.write_eof()  # closing with unread bytes would send an RST instead
        asyncio.get_running_loop().call_later(GOODBYE_S, raw.close)

    def _give_up(self) -> None:
        self._tell(TIMEOUT, f"a client did not finish its handshake within {self._handshake_s:g} s")
        self.abort()

    def _tell(self, kind: str, words: str) -> None:
        """Once, and not of an end that was ours."""
        if not self._closing:
            self._failed(kind, words)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

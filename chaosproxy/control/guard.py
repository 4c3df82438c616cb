"""Who may speak to the control API: the right token, not too often, and no page of a browser's but our own."""

from __future__ import annotations

import hmac
import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web

from chaosproxy.errors import UserError
from chaosproxy.plan.counters import TokenBucket
from chaosproxy.proxy.listener import parse_address

ADDRESSES_MAX = 1024
"""As many addresses are remembered; the one that was silent for longest is forgotten first."""
TOKEN_CHARS_MIN = 16
"""A shorter token can be guessed; it is refused where others could try."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How often one address may come, per minute. After too many wrong tokens it waits, also with the right one."""

    requests: float = 3000.0
    wrong_tokens: float = 30.0


RATES = Rates()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request goes no further, with the header fields of the answer."""

    status: int
    words: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Visitor:
    requests: TokenBucket
    wrong_tokens: TokenBucket
    locked_out_until: float = 0.0


class Guard:
    """Looks at each request first. Raises UserError for an address beyond this machine without a good token."""

    def __init__(self, listen: str, token: str | None, clock: Callable[[], float], rates: Rates) -> None:
        if not is_loopback(parse_address(listen)[0]):
            if token is None:
                raise UserError(f"the control API on {listen} can be reached from elsewhere, so it needs a token")
            if len(token) < TOKEN_CHARS_MIN:
                words = f"needs a token of at least {TOKEN_CHARS_MIN} characters"
                raise UserError(f"the control API on {listen} can be reached from elsewhere, so it {words}")
        self._token = token
        self._clock = clock
        self._rates = rates
        self._visitors: OrderedDict[str, _Visitor] = OrderedDict()

    def refuses(self, request: web.Request, *, open_to_all: bool) -> Refusal | None:
        """Why this request goes no further, or None."""
        visitor, now = self._visitor(request.remote or ""), self._clock()
        if (wait_s := visitor.requests.take(1.0, now)) or (wait_s := visitor.locked_out_until - now) > 0:
            return _too_often("too many requests", wait_s)
        if (words := self._foreign(request)) is not None:
            return Refusal(403, words)
        if open_to_all or self._knows_token(request):
            return None
        if wait_s := visitor.wrong_tokens.take(1.0, now):
            visitor.locked_out_until = now + wait_s
            return _too_often("too many wrong tokens", wait_s)
        words = "this control API needs its token (--token-file; Authorization: Bearer TOKEN)"
        if request.headers.get("Authorization"):
            words = "this is not the token of this control API"
        return Refusal(401, words, {"WWW-Authenticate": "Bearer"})

    def _foreign(self, request: web.Request) -> str | None:
        """Browsers send what a foreign page asks for; they also say whose page it is, and by which name they came."""
        origin = request.headers.get("Origin")
        if origin is not None and _netloc(origin) != request.host:
            return "this control API is not for the pages of other origins"
        if self._token is None and not is_loopback(_host(request.host)):
            return f"without a token this control API answers to loopback only, not to {_host(request.host)!r}"
        return None

    def _knows_token(self, request: web.Request) -> bool:
        if self._token is None:
            return True
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), self._token.encode())
        return right and scheme.lower() == "bearer"

    def _visitor(self, address: str) -> _Visitor:
        visitor = self._visitors.pop(address, None)
        if visitor is None:
            visitor = _Visitor(TokenBucket(self._rates.requests), TokenBucket(self._rates.wrong_tokens))
        self._visitors[address] = visitor
        while len(self._visitors) > ADDRESSES_MAX:
            self._visitors.popitem(last=False)
        return visitor


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _netloc(origin: str) -> str | None:
    """Host and port of a page; None for what is no URL."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _host(host: str) -> str:
    """Without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _too_often(words: str, wait_s: float) -> Refusal:
    return Refusal(429, words, {"Retry-After": f"{max(1.0, wait_s):.0f}"})

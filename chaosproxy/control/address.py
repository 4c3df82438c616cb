"""Where a control API is, as people and environments say it."""

from __future__ import annotations

from urllib.parse import urlsplit

from chaosproxy.errors import UserError

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - where to find who listens there


def control_url(text: str | None, flag: str = "--control") -> str:
    """The URL of ``http://chaos:8666`` or, as in a sidecar's own environment, ``0.0.0.0:8666``. Raises UserError.

    What may hold a password is not repeated in the message.
    """
    if not text:
        raise UserError(f"{flag}: which proxy? Give its control API's URL, or set CHAOSPROXY_CONTROL")
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UserError(f"{flag}: expected a URL such as http://127.0.0.1:8666; this one cannot be read") from None
    if parts.username or parts.password:
        raise UserError(f"{flag}: a URL with a user or password; the token belongs into --token-file")
    if parts.scheme not in ("http", "https") or parts.query or parts.fragment or ("://" in text and not host):
        raise UserError(f"{flag}: expected a URL such as http://127.0.0.1:8666, got {text!r}")
    host = _ANYWHERE.get(host, host)
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"

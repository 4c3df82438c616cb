"""Addresses to listen on, as Go reads them, and its words about those that are none."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket

LOOPBACK = "127.0.0.1"
"""For an address without a host: Go means all interfaces then, we do not."""
_NUMBER = re.compile(r"[+-]?[0-9]+")


class AddressError(ValueError):
    """Go's words about an address."""


def split(address: str) -> tuple[str, str]:
    """Host and port, both as text. Raises AddressError."""
    if not address:
        return "", "0"
    colon = address.rfind(":")
    if colon < 0:
        raise _refused(address, "missing port in address")
    if address.startswith("["):
        return _split_bracketed(address, colon)
    host = address[:colon]
    if ":" in host:
        raise _refused(address, "too many colons in address")
    return _without_brackets(address, host), _without_brackets(address, address[colon + 1 :])


def _split_bracketed(address: str, colon: int) -> tuple[str, str]:
    end = address.find("]")
    if end < 0:
        raise _refused(address, "missing ']' in address")
    if end + 1 != colon:
        followed = end + 1 < len(address) and address[end + 1] == ":"
        raise _refused(address, "too many colons in address" if followed else "missing port in address")
    return address[1:end], _without_brackets(address, address[colon + 1 :])


def _without_brackets(address: str, part: str) -> str:
    for bracket in "[]":
        if bracket in part:
            raise _refused(address, f"unexpected '{bracket}' in address")
    return part


def _refused(address: str, words: str) -> AddressError:
    return AddressError(f"address {address}: {words}")


def read_port(text: str) -> int:
    """A number, or the name of a service. Raises AddressError."""
    if not text:
        return 0
    if _NUMBER.fullmatch(text):
        if len(text) > 7 or not 0 <= int(text) <= 65535:
            raise _refused(text, "invalid port")
        return int(text)
    try:
        return socket.getservbyname(text, "tcp")
    except OSError:
        raise AddressError(f"lookup tcp/{text}: unknown port") from None


async def resolve(address: str) -> str:
    """``localhost:3310`` -> ``127.0.0.1:3310``; IPv4 where a name has both. Raises AddressError."""
    host, service = split(address)
    port = read_port(service)
    if not host:
        return f"{LOOPBACK}:{port}"
    try:
        return join(str(ipaddress.ip_address(host)), port)
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressError(f"lookup {host}: no such host") from None
    return join(str(min(found, key=lambda each: each[0] != socket.AF_INET)[4][0]), port)


def join(host: str, port: int) -> str:
    """Host and port as one text; an IPv6 address gets its brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

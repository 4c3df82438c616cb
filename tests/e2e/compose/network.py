"""The network of a compose project on loopback: each service has addresses of its own there, and keeps its ports.

All of 127.0.0.0/8 is loopback on Linux, without any rights. A service gets two of these addresses: the one that its
name stands for, and the one that is its own 127.0.0.1. So a service that listens at 127.0.0.1 is out of reach for the
others, as in a container, and one that listens at 0.0.0.0 is not.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from tests.e2e.compose.file import Service

_LOOPBACK = re.compile(r"(?<![\w.-])(?:127\.0\.0\.1|localhost)(?![\w.-])")
_ANY = re.compile(r"(?<![\w.-])0\.0\.0\.0(?![\w.-])")
_LIST_OF_HOSTS = re.compile(r"(?<=allow_hosts: \[)[^\]]*")


class Network:
    """Who has which address."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        second, third = 16 + secrets.randbelow(200), 2 * secrets.randbelow(120)
        owners = sorted({service.owner for service in services.values()})
        self._outer = {name: f"127.{second}.{third}.{number}" for number, name in enumerate(owners, 1)}
        self._inner = {name: f"127.{second}.{third + 1}.{number}" for number, name in enumerate(owners, 1)}
        # A service that lives in another's network has no name of its own.
        named = "|".join(re.escape(name) for name, service in services.items() if service.owner == name)
        self._with_port = re.compile(rf"(?<![\w.-])({named})(?=:\d)")
        self._alone = re.compile(rf"(?<![\w.-])({named})(?![\w.:-])")

    def address(self, service: Service) -> str:
        """What the name of a service stands for, and what it is reached at from inside when it listens everywhere."""
        return self._outer[service.owner]

    def seen_by(self, service: Service, text: str) -> str:
        """Words of its command, its environment or its files, with addresses for names."""
        text = _ANY.sub(self._outer[service.owner], text)
        text = _LOOPBACK.sub(self._inner[service.owner], text)
        text = self._with_port.sub(lambda found: self._outer[found[1]], text)
        return _LIST_OF_HOSTS.sub(lambda found: self._alone.sub(lambda name: self._outer[name[1]], found[0]), text)

    def asked_inside(self, service: Service, text: str) -> str:
        """Words of its health check. It asks 127.0.0.1, where a server that listens everywhere answers, too."""
        return self.seen_by(service, _LOOPBACK.sub("0.0.0.0", text))

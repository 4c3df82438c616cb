"""The catalogue: every fault there is, in the order of the documentation.

Adding one: a file in its room, a line here; the laws, the docs, the schema and the command line follow by themselves.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, SerializeAsAny

from chaosproxy.errors import BadValue
from chaosproxy.faults.admission.blackhole import ConnBlackhole
from chaosproxy.faults.admission.lost_response import ConnLostResponse
from chaosproxy.faults.admission.partition import Partition
from chaosproxy.faults.admission.rate_limit import HttpRateLimit
from chaosproxy.faults.admission.refuse import ConnRefuse
from chaosproxy.faults.admission.status import HttpStatus
from chaosproxy.faults.base import Fault
from chaosproxy.faults.framing.drop import SseDrop
from chaosproxy.faults.framing.fin import StreamFin
from chaosproxy.faults.framing.malformed import SseMalformed
from chaosproxy.faults.framing.reset import StreamReset
from chaosproxy.faults.framing.truncate import StreamTruncate
from chaosproxy.faults.registry import Registry
from chaosproxy.faults.semantic.error_event import LlmErrorEvent
from chaosproxy.faults.semantic.no_terminal import LlmNoTerminal
from chaosproxy.faults.timing.first_token import TimeFirstToken
from chaosproxy.faults.timing.inter_token import TimeInterToken
from chaosproxy.faults.timing.stall import TimeStall

CATALOGUE: tuple[type[Fault], ...] = (
    HttpStatus,
    HttpRateLimit,
    ConnRefuse,
    ConnBlackhole,
    ConnLostResponse,
    TimeFirstToken,
    TimeInterToken,
    TimeStall,
    StreamTruncate,
    StreamFin,
    StreamReset,
    SseDrop,
    SseMalformed,
    LlmErrorEvent,
    LlmNoTerminal,
    Partition,
)

REGISTRY = Registry(CATALOGUE)
"""The catalogue, and what users' plugins have registered."""


def fault_class(name: str) -> type[Fault]:
    """The fault of that name. Raises BadValue with the nearest names."""
    return REGISTRY.find(name)


def build(value: Any) -> Any:
    """A fault from ``{"type": NAME, setting: value}``; a Fault passes."""
    if isinstance(value, Fault) or not isinstance(value, dict):
        return value
    settings = dict(value)
    name = settings.pop("type", None)
    if not isinstance(name, str):
        raise BadValue("a fault needs its type, such as {type: stream.truncate, where: 'token:5'}")
    return fault_class(name).model_validate(settings)


def describe(fault: Fault) -> dict[str, Any]:
    """The inverse of ``build``: JSON values, units in place, defaults left out."""
    return {"type": fault.type, **fault.model_dump(mode="json", exclude_defaults=True, by_alias=True)}


AnyFault = Annotated[SerializeAsAny[Fault], BeforeValidator(build), PlainSerializer(describe)]
"""A field that holds any fault of the registry."""

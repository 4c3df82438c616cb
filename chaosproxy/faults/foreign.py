"""The dialect of somebody else, for faults that mix two providers up."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from chaosproxy.events import Exchange
from chaosproxy.wire.dialects import DIALECTS, dialect
from chaosproxy.wire.dialects.base import Dialect


def _known(name: str | None) -> str | None:
    return name if name is None else dialect(name).name


ForeignDialect = Annotated[
    str | None, AfterValidator(_known), Field(examples=[known.name for known in DIALECTS if known.name != "raw"])
]
"""The name of a dialect, or None: the one that a client of this exchange is least prepared for."""


def foreign(name: str | None, exchange: Exchange) -> Dialect:
    """The dialect that is meant for this exchange."""
    usual = "openai.chat" if exchange.dialect == "anthropic.messages" else "anthropic.messages"
    return dialect(name or usual)


def lacks_foreign(name: str | None, exchange: Exchange) -> str | None:
    """Why nothing is foreign to this exchange."""
    if exchange.dialect == "raw":
        return "the request is not of a known dialect"
    return f"{name} is the dialect of the request" if name == exchange.dialect else None

"""What every line of a journal is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """One line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

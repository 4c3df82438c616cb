"""Records of one clock as another would have written them."""

from __future__ import annotations

from typing import Any, TypeVar

from chaosproxy.journal.record import Record

R = TypeVar("R", bound=Record)


def shifted(record: R, by_s: float) -> R:
    """All moments of the record, those of its edges included, ``by_s`` later; spans stay as long as they are."""
    changes: dict[str, Any] = {}
    for name in type(record).model_fields:
        value = getattr(record, name)
        if isinstance(value, Record):
            changes[name] = shifted(value, by_s)
        elif isinstance(value, float) and (name in ("at", "mono") or name.endswith("_at")):
            changes[name] = value + by_s
    return record.model_copy(update=changes)

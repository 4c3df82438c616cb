"""The catalogue: every fault there is, in the order of the documentation.

Adding one: a file in its room, a line here; the laws, the docs, the schema and the command line follow by themselves.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, SerializeAsAny

from chaosproxy.errors import BadValue
from chaosproxy.faults.admission.blackhole import ConnBlackhole
from chaosproxy.faults.admission.foreign_error import HttpForeignError
from chaosproxy.faults.admission.html_page import HttpHtmlPage
from chaosproxy.faults.admission.lost_response import ConnLostResponse
from chaosproxy.faults.admission.ok_error import HttpOkError
from chaosproxy.faults.admission.partial_head import ConnPartialHead
from chaosproxy.faults.admission.partition import Partition
from chaosproxy.faults.admission.plain_reply import HttpPlainReply
from chaosproxy.faults.admission.range_416 import BodyRange416
from chaosproxy.faults.admission.rate_limit import HttpRateLimit
from chaosproxy.faults.admission.refuse import ConnClose, ConnRefuse, ConnReset
from chaosproxy.faults.admission.retry_hint import HttpRetryHint
from chaosproxy.faults.admission.slow_accept import ConnSlowAccept
from chaosproxy.faults.admission.status import HttpStatus
from chaosproxy.faults.base import Fault
from chaosproxy.faults.framing.chunk_size import StreamChunkSize
from chaosproxy.faults.framing.comment import SseComment
from chaosproxy.faults.framing.comment_as_data import SseCommentAsData
from chaosproxy.faults.framing.content_type import StreamContentType
from chaosproxy.faults.framing.cut_event import StreamCutEvent
from chaosproxy.faults.framing.download import BodyCorrupt, BodyIgnoreRange, BodyTruncate
from chaosproxy.faults.framing.drop import SseDrop
from chaosproxy.faults.framing.duplicate import SseDuplicate
from chaosproxy.faults.framing.empty import SseEmpty
from chaosproxy.faults.framing.encoding import StreamEncoding
from chaosproxy.faults.framing.event_name import SseEventName
from chaosproxy.faults.framing.field import SseField
from chaosproxy.faults.framing.fin import StreamFin
from chaosproxy.faults.framing.length import StreamLength
from chaosproxy.faults.framing.line_end import SseLineEnd
from chaosproxy.faults.framing.line_separator import SseLineSeparator
from chaosproxy.faults.framing.malformed import SseMalformed
from chaosproxy.faults.framing.merge import SseMerge
from chaosproxy.faults.framing.reorder import SseReorder
from chaosproxy.faults.framing.reset import StreamReset
from chaosproxy.faults.framing.split import SseSplit
from chaosproxy.faults.framing.truncate import StreamTruncate
from chaosproxy.faults.framing.unclean_end import StreamUncleanEnd
from chaosproxy.faults.framing.utf8 import SseUtf8
from chaosproxy.faults.registry import Registry
from chaosproxy.faults.semantic.choices import LlmChoices
from chaosproxy.faults.semantic.cross_stream import LlmCrossStream
from chaosproxy.faults.semantic.dialect_swap import LlmDialectSwap
from chaosproxy.faults.semantic.early_stop import LlmEarlyStop, LlmRefusal
from chaosproxy.faults.semantic.error_event import LlmErrorEvent, LlmForeignErrorEvent
from chaosproxy.faults.semantic.finish_reason import LlmFinishReason
from chaosproxy.faults.semantic.model_swap import LlmModelSwap
from chaosproxy.faults.semantic.no_terminal import LlmNoTerminal
from chaosproxy.faults.semantic.repeat import LlmRepeat
from chaosproxy.faults.semantic.retold import LlmEmpty, LlmWrongAnswer
from chaosproxy.faults.semantic.schema import LlmSchema
from chaosproxy.faults.semantic.tool_args_cut import LlmToolArgsCut
from chaosproxy.faults.semantic.usage import LlmUsage
from chaosproxy.faults.timing.bandwidth import TimeBandwidth
from chaosproxy.faults.timing.buffer import TimeBuffer
from chaosproxy.faults.timing.cap import ConnCap
from chaosproxy.faults.timing.first_byte import TimeFirstByte
from chaosproxy.faults.timing.first_token import TimeFirstToken
from chaosproxy.faults.timing.inter_token import TimeInterToken
from chaosproxy.faults.timing.keepalive_only import TimeKeepaliveOnly
from chaosproxy.faults.timing.linger import TimeLinger
from chaosproxy.faults.timing.stall import TimeStall
from chaosproxy.faults.toxic.bandwidth import ToxicBandwidth
from chaosproxy.faults.toxic.down import ToxicDown
from chaosproxy.faults.toxic.latency import ToxicLatency
from chaosproxy.faults.toxic.limit_data import ToxicLimitData
from chaosproxy.faults.toxic.noop import ToxicNoop
from chaosproxy.faults.toxic.reset_peer import ToxicResetPeer
from chaosproxy.faults.toxic.slicer import ToxicSlicer
from chaosproxy.faults.toxic.slow_close import ToxicSlowClose
from chaosproxy.faults.toxic.timeout import ToxicTimeout
from chaosproxy.faults.websocket.close import WsClose
from chaosproxy.faults.websocket.delay import WsDelay
from chaosproxy.faults.websocket.drop import WsDrop

CATALOGUE: tuple[type[Fault], ...] = (
    HttpStatus,
    HttpRateLimit,
    HttpRetryHint,
    HttpHtmlPage,
    HttpOkError,
    HttpPlainReply,
    HttpForeignError,
    ConnRefuse,
    ConnReset,
    ConnClose,
    ConnPartialHead,
    ConnBlackhole,
    ConnSlowAccept,
    ConnCap,
    ConnLostResponse,
    TimeFirstByte,
    TimeFirstToken,
    TimeInterToken,
    TimeStall,
    TimeKeepaliveOnly,
    TimeBuffer,
    TimeBandwidth,
    TimeLinger,
    StreamTruncate,
    StreamFin,
    StreamReset,
    StreamCutEvent,
    StreamChunkSize,
    StreamLength,
    StreamEncoding,
    StreamUncleanEnd,
    StreamContentType,
    SseDrop,
    SseDuplicate,
    SseReorder,
    SseMalformed,
    SseSplit,
    SseMerge,
    SseComment,
    SseField,
    SseEmpty,
    SseCommentAsData,
    SseUtf8,
    SseLineEnd,
    SseLineSeparator,
    SseEventName,
    LlmErrorEvent,
    LlmForeignErrorEvent,
    LlmNoTerminal,
    LlmEarlyStop,
    LlmEmpty,
    LlmChoices,
    LlmDialectSwap,
    LlmCrossStream,
    LlmToolArgsCut,
    LlmFinishReason,
    LlmRefusal,
    LlmUsage,
    LlmRepeat,
    LlmModelSwap,
    LlmWrongAnswer,
    LlmSchema,
    BodyTruncate,
    BodyCorrupt,
    BodyIgnoreRange,
    BodyRange416,
    WsClose,
    WsDelay,
    WsDrop,
    Partition,
    ToxicLatency,
    ToxicBandwidth,
    ToxicSlowClose,
    ToxicTimeout,
    ToxicResetPeer,
    ToxicSlicer,
    ToxicLimitData,
    ToxicNoop,
    ToxicDown,
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

"""Real incidents, and the faults that reproduce them: what went wrong in public projects, told in our own words.

A profile tells in its own file which of them it imitates as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Incident:
    """``references`` are issues or pull requests on GitHub that report the same, as ``owner/project#number``."""

    references: tuple[str, ...]
    summary: str
    faults: tuple[str, ...]


def incident(references: str, summary: str, *faults: str) -> Incident:
    """One, with its references in one text."""
    return Incident(tuple(references.split()), summary, faults)


INCIDENTS: tuple[Incident, ...] = (
    incident(
        "BerriAI/litellm#40404",
        "a stream that was cut, went silent for 30 s or had one broken event never reached the fallback",
        *("stream.fin", "time.stall", "sse.malformed"),
    ),
    incident(
        "BerriAI/litellm#28216",
        "streams of the Responses API went past the fallback that chat streams have",
        *("llm.error_event", "time.stall"),
    ),
    incident("BerriAI/litellm#6957", "no fallback when Anthropic was overloaded in mid-stream", "llm.error_event"),
    incident(
        "BerriAI/litellm#26067",
        "a 429 or 401 came up while the stream was read, where nothing retried any more",
        *("http.status", "http.rate_limit"),
    ),
    incident(
        "BerriAI/litellm#25843 BerriAI/litellm#19077",
        "a failing stream followed other fallback settings than the request asked for",
        "llm.error_event",
    ),
    incident(
        "BerriAI/litellm#38606",
        "a stream died in the middle, and the client asked the dead primary ten times",
        *("llm.error_event", "stream.fin"),
    ),
    incident(
        "BerriAI/litellm#32086 BerriAI/litellm#32475",
        "a failure after the 200 became a well-formed stream without content, and agents went on with nothing",
        "llm.empty",
    ),
    incident(
        "BerriAI/litellm#40130",
        "a second 429 with a longer wait left the first, shorter cooldown in force",
        "http.rate_limit",
    ),
    incident("BerriAI/litellm#3646", "all deployments were cooling down, and calls failed at once", "http.rate_limit"),
    incident(
        "BerriAI/litellm#5964",
        "a fifth of the answers ended in mid-word, without an error in any log",
        "stream.truncate",
    ),
    incident("NuGuardAI/nuguard#455", "a retry in mid-stream repeated the text that had already come", "stream.fin"),
    incident(
        "preloop/preloop#117",
        "a gateway turned the provider's cut into a clean end",
        *("stream.fin", "stream.truncate"),
    ),
    incident(
        "openai/openai-python#2722 openai/openai-python#3833",
        "events with an id, a retry or no data at all raised a JSON error",
        *("sse.field", "sse.empty"),
    ),
    incident(
        "openai/openai-python#1515",
        "an unterminated string in the middle of a stream",
        *("sse.malformed", "sse.split", "sse.merge"),
    ),
    incident("openai/openai-python#1230", "U+2028 in a text broke the line that it stood in", "sse.line_separator"),
    incident(
        "anthropics/anthropic-sdk-python#1919",
        "a broken connection raised the HTTP library's own error, which no retry expected",
        *("stream.fin", "stream.reset"),
    ),
    incident(
        "pydantic/pydantic-ai#4729 anthropics/anthropic-sdk-python#1258",
        "an overload in mid-stream had status 200, so the fallback model was not asked",
        "llm.error_event",
    ),
    incident(
        "anthropics/anthropic-sdk-typescript#893",
        "a stream closed without message_stop, and the incomplete message counted as whole",
        *("stream.truncate", "llm.no_terminal"),
    ),
    incident("theopenco/llmgateway#2334", "a ping every 15 s crashed a client after an id field", "sse.field"),
    incident(
        "mnfst/llm-gateway#2053 anomalyco/opencode#50871",
        "a gateway sent keep-alive comments on as data",
        "sse.comment_as_data",
    ),
    incident("coder/coder#28185", "a bare colon as keep-alive was read as JSON", "sse.comment"),
    incident(
        "openclaw/openclaw#152535",
        "comments did not count as life, so a watchdog broke off a healthy stream",
        "time.keepalive_only",
    ),
    incident("caozhiyuan/copilot-api#88", "a ping with empty data ended the client's stream", "sse.empty"),
    incident(
        "anthropics/claude-code#25979 MoonshotAI/kimi-code#1798 microsoft/amplifier#339",
        "a stream fell silent without an error, in one case for almost nine hours",
        "time.stall",
    ),
    incident("earendil-works/pi#7954", "[DONE] came, the connection stayed open, and the turn hung", "time.linger"),
    incident("earendil-works/pi#4991", "a retry-after of days was obeyed", "http.rate_limit"),
    incident(
        "earendil-works/pi#2537 vercel/ai#1517 open-webui/open-webui#28938",
        "a 200 with an empty stream or null counted as success",
        *("http.ok_error", "llm.empty"),
    ),
    incident("ggml-org/llama.cpp#14566", "a 200 whose stream held the error", "llm.foreign_error_event"),
    incident(
        "fox1245/NeoGraph#124", "an error chunk was skipped, and the answer became empty", "llm.foreign_error_event"
    ),
    incident(
        "vllm-project/vllm#42363",
        "the engine died in mid-stream, and its error chunk broke the conversion to another API",
        *("llm.foreign_error_event", "llm.dialect_swap"),
    ),
    incident(
        "vllm-project/vllm#13252 vllm-project/vllm#5173",
        "the GPU's memory was full, the engine died of it, and then nothing was answered until a restart",
        *("http.status", "conn.refuse"),
    ),
    incident(
        "vllm-project/vllm#53269 vllm-project/vllm#9053",
        "a tool call that was cut off said that it was complete",
        *("llm.finish_reason", "llm.tool_args_cut"),
    ),
    incident(
        "NousResearch/hermes-agent#7680 NousResearch/hermes-agent#6638 langchain-ai/langchainjs#11469",
        "half of a tool's arguments was repaired into JSON and executed",
        *("llm.tool_args_cut", "llm.finish_reason"),
    ),
    incident(
        "simonw/llm#294 pydantic/pydantic-ai#164 BerriAI/litellm#35785",
        "a chunk without choices, as Azure sends it, raised an IndexError",
        "llm.choices",
    ),
    incident(
        "ollama/ollama#10015 Growth-Circle/cadis#2950 TanStack/ai#1447",
        "a stream without its last event counted as complete",
        *("stream.truncate", "llm.no_terminal"),
    ),
    incident(
        "ggml-org/llama.cpp#20872 ggml-org/llama.cpp#24774 mostlygeek/llama-swap#236",
        "a proxy on the way held the stream back and sent it all at once",
        "time.buffer",
    ),
    incident(
        "api7/aisix#111 librefang/librefang#3448 mrpulor-gh/nuphus#41",
        "a character whose bytes came in two pieces turned into U+FFFD",
        "sse.utf8",
    ),
    incident(
        "matt-house-e/accrue#44 mpfaffenberger/code_puppy#317 Aider-AI/aider#5165",
        "retries inside of retries asked up to 45 times for one call, and nobody heeded Retry-After",
        *("http.rate_limit", "http.retry_hint"),
    ),
    incident(
        "aio-libs/aiohttp#10596 aio-libs/aiohttp#10355", "a malformed chunk made the client hang", "stream.chunk_size"
    ),
    incident(
        "HKUDS/LightRAG#3446",
        "a truncated completion went into the cache and was served from there",
        *("stream.truncate", "llm.early_stop"),
    ),
    incident(
        "letta-ai/letta-code#1179", "an HTML page of Cloudflare broke the handling of the error", "http.html_page"
    ),
)


def incidents_of(fault: str) -> tuple[Incident, ...]:
    """Those that a fault reproduces, by its name."""
    return tuple(each for each in INCIDENTS if fault in each.faults)

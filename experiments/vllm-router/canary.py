"""The canary of these drills: one question whose right answer everybody knows.

Whoever is asked must say Paris, or that it failed; a fluent wrong answer with status 200 is what must never pass.
"""

import http.client
import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass

QUESTION = "In one word, can you provide me the capital of France?"
TEMPERATURE = float(os.environ.get("TEMPERATURE", "0"))
TIMEOUT_S = float(os.environ.get("TIMEOUT_S", "60"))


class SaidSo(Exception):
    """An explicit error: a status, an error event, or an answer that visibly is not whole."""


@dataclass(frozen=True)
class Answer:
    """What came with status 200 and a regular end."""

    text: str
    finish_reason: str
    tokens: int
    model: str

    def check(self):
        """Fail, with everything that helps to find out why, unless it is Paris."""
        told = (
            f"finish_reason={self.finish_reason}, tokens={self.tokens}, model={self.model}, temperature={TEMPERATURE:g}"
        )
        assert "paris" in self.text.lower(), f"a wrong answer with status 200: {self.text!r} ({told})"


def ask(url, chaos, *, stream=False):
    """The answer to QUESTION by ``chaos.model``, or SaidSo."""
    __tracebackhide__ = True  # a failure shows what was said, and not with which key it was asked
    body = {"model": chaos.model, "temperature": TEMPERATURE, "messages": [{"role": "user", "content": QUESTION}]}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    headers = {"content-type": "application/json", "authorization": f"Bearer {chaos.api_key}"}
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310 - http
            return _streamed(response) if stream else _plain(json.load(response))
    except urllib.error.HTTPError as error:
        raise SaidSo(f"status {error.code}: {error.read(300).decode(errors='replace')}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SaidSo(f"{type(error).__name__}: {error}") from error


def _plain(answer):
    if not answer or "error" in answer or not answer.get("choices"):
        raise SaidSo(f"an answer that says that it failed, or nothing: {str(answer)[:300]}")
    choice, usage = answer["choices"][0], answer.get("usage") or {}
    text = (choice.get("message") or {}).get("content") or ""
    return Answer(text, choice.get("finish_reason"), usage.get("completion_tokens"), answer.get("model"))


def _streamed(response):
    text, finish, tokens, model = "", None, None, None
    for line in response:
        data = line.decode().strip().removeprefix("data:").strip()
        if not data or data.startswith(":"):
            continue
        if data == "[DONE]":
            return Answer(text, finish, tokens, model)
        event = json.loads(data)
        if not isinstance(event, dict) or "error" in event:
            raise SaidSo(f"an error event: {data[:300]}")
        model = event.get("model", model)
        tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
        for choice in event.get("choices") or ():
            text += (choice.get("delta") or {}).get("content") or ""
            finish = choice.get("finish_reason") or finish
    raise SaidSo(f"the stream ended without [DONE] after {text!r}")

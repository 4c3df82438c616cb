"""What the lab answers: a function of the prompt alone, so that a client can know the right text without asking twice.

The text hangs on the call tag when the prompt carries one (the last one, as histories quote earlier answers), so a
gateway may add a system prompt or rewrite the question; without a tag it hangs on the whole prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from random import Random

from chaosproxy.plan.identity import CALL_TAG

TAG_EVERY = 12
"""The call tag opens the text and comes back every so many tokens: any stretch of that length tells whose it is."""

_OPENINGS = (
    "Amber",
    "Birch",
    "Cedar",
    "Delta",
    "Ember",
    "Falcon",
    "Granite",
    "Harbour",
    "Indigo",
    "Juniper",
    "Kestrel",
)
"""Only the first word is capitalised, so an answer never repeats its own opening."""
_PLAIN = (  # noqa: SIM905 - a hundred words read best as words
    "about across after along among around because before behind below beside between beyond bright broken build carry "
    "change clear close cold country deep early every far field find follow forest garden give green hold kind large "
    "late light little long many meadow mind morning mountain move near never night often old open other part people "
    "place plain quiet rain river road round same seem short show silver slow small soft some spring stand still stone "
    "story strong summer tell thing time toward turn under valley village voice walk warm water way while wind winter"
).split()
_WIDE = {
    3: ("façade", "größer", "señor", "crème", "jalapeño", "naïve", "über", "élan", "niño", "łódź"),  # 2 bytes in UTF-8
    6: ("日本語", "東京", "한국어", "ภาษา", "हिन्दी", "ไทย", "中文", "경주"),  # 3 bytes
    9: ("🎉", "🚀", "🌍", "🦊", "🎲", "🧭", "🪁", "🐙"),  # 4 bytes
}
_CAPITAL = re.compile(r"capital of france", re.IGNORECASE)
_ONE_WORD = re.compile(r"\bone[- ]word\b|\bsingle word\b|\bword only\b", re.IGNORECASE)


def call_tag(prompt: str) -> str | None:
    """The tag of the call that a prompt belongs to, or None."""
    tags = CALL_TAG.findall(prompt)
    return tags[-1] if tags else None


def seed_of(prompt: str) -> int:
    """The number from which everything random about the answer to ``prompt`` is drawn (64 bits)."""
    key = call_tag(prompt) or prompt
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def expected_answer(prompt: str, max_tokens: int) -> list[str]:
    """The pieces (one per token) of the lab's answer, at most ``max_tokens``; joined, they are the text.

    A shorter answer is always the beginning of a longer one. Only the capital of France is answered in less.
    """
    tag = call_tag(prompt)
    if _CAPITAL.search(prompt):
        return _spaced([*filter(None, [tag]), *_capital(prompt)])[:max_tokens]
    return _spaced(islice(_words(tag, Random(seed_of(prompt))), max_tokens))


def expected_arguments(prompt: str, max_tokens: int) -> list[str]:
    """The pieces of a tool call's arguments: a JSON object whose ``query`` is the answer; at least three pieces."""
    return ['{"query":"', *expected_answer(prompt, max(1, max_tokens - 2)), '"}']


def _words(tag: str | None, draws: Random) -> Iterator[str]:
    index = 0
    if tag is not None:
        yield tag
        index = 1
    yield draws.choice(_OPENINGS)
    while True:
        index += 1
        if tag is not None and index % TAG_EVERY == 0:
            yield tag
        else:
            yield draws.choice(_WIDE.get(index % TAG_EVERY, _PLAIN))


def _capital(prompt: str) -> list[str]:
    return ["Paris"] if _ONE_WORD.search(prompt) else ["The", "capital", "of", "France", "is", "Paris."]


def _spaced(words: Iterator[str] | islice[str] | list[str]) -> list[str]:
    return [word if index == 0 else f" {word}" for index, word in enumerate(words)]

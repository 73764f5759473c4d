"""The agent's words on a card: quoted, marked as untrusted, harmless, cut with a count. Nothing in here is ours to vouch for."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from approvals.policy.policy import Limit
from approvals.verbs.workload import counted
from approvals.workflow.escalation import Breach
from bot.slack.kit.blocks import Block, Element, line, quote, rich_text, words
from bot.slack.kit.text import cut, quoted, visible, visible_line

RATIONALE: Final = 900
ATTACHMENTS: Final = 3
EXHIBIT_TITLE: Final = 80
EXHIBIT_TEXT: Final = 240
CLAIMS: Final = 3
NUMBER: Final = 24
UNIT: Final = 60
DESCRIPTION: Final = 100
AGENT: Final = "agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentWords:
    """What an agent said with one request."""

    texts: Mapping[str, str]
    """Its free texts, by name; an erased one is missing."""
    breaches: tuple[Breach, ...]
    confidence: Decimal | None
    limits: Mapping[str, Limit]
    """The limits of the policy in force, by name: what stands beside a claim is not the agent's word."""


def agent_block(said: AgentWords, block_id: str) -> Block:
    """Return the agent's words as one block: a title of ours, then quotations; lines of ours below a claim are not quoted."""
    parts: list[Element] = [line(words("The agent says (untrusted, not part of what is approved)", italic=True))]
    parts.append(quote(words(_rationale(said.texts))))
    for claim in said.breaches[:CLAIMS]:
        parts += [_claim(claim), line(words(_policy_says(claim, said.limits.get(claim.limit))))]
    if len(said.breaches) > CLAIMS:
        parts.append(quote(words(counted(len(said.breaches) - CLAIMS, "more claim"))))
    if said.confidence is not None:
        parts.append(quote(words(f"Its own confidence is {_number(said.confidence)}, on a scale from 0 to 1.")))
    parts += _exhibits(said.texts)
    oddities = _oddities(said.texts)
    if oddities:
        parts.append(line(words(f"⚠️ {oddities}", bold=True)))
    return rich_text(block_id, *parts)


def _rationale(texts: Mapping[str, str]) -> str:
    if "rationale" not in texts:
        return "(erased)"
    return quoted(texts["rationale"], RATIONALE)


def _claim(claim: Breach) -> Element:
    figures = f"it saw {_number(claim.observed)}, and names a ceiling of {_number(claim.ceiling)}"
    return quote(words(f"It claims that the limit {visible_line(claim.limit, EXHIBIT_TITLE)} is passed: {figures}."))


def _policy_says(claim: Breach, limit: Limit | None) -> str:
    """Return what the policy in force says of the limit that a claim names, and where the claim does not go with it."""
    if limit is None:
        return "⚠️ The policy in force has no such limit."
    sentences = [f"The policy's ceiling is {_number(limit.ceiling)} {visible_line(limit.unit, UNIT)}."]
    if limit.description:
        sentences.append(visible_line(limit.description, DESCRIPTION))
    if claim.observed <= limit.ceiling:
        sentences.append("⚠️ What the agent saw does not pass it.")
    if claim.ceiling != limit.ceiling:
        sentences.append("⚠️ The agent names another one.")
    return " ".join(sentences)


def _number(value: Decimal) -> str:
    return cut(str(value), NUMBER)


def _exhibits(texts: Mapping[str, str]) -> list[Element]:
    count = sum(name.startswith("evidence ") and name.endswith(" title") for name in texts)
    shown = [
        quote(
            words(f"{visible_line(texts[f'evidence {number} title'], EXHIBIT_TITLE) or '(untitled)'}: ", italic=True),
            words(quoted(texts.get(f"evidence {number} text", "(erased)"), EXHIBIT_TEXT)),
        )
        for number in range(1, count + 1)
        if f"evidence {number} title" in texts
    ]
    more = (
        []
        if len(shown) <= ATTACHMENTS
        else [quote(words(f"{counted(len(shown) - ATTACHMENTS, 'more piece')} of evidence"))]
    )
    return shown[:ATTACHMENTS] + more


def _oddities(texts: Mapping[str, str]) -> str:
    """Return what was odd about the agent's texts, in a sentence of ours, or nothing."""
    seen = [visible(text) for text in texts.values()]
    hidden, mixed = sum(one.hidden for one in seen), sum(one.mixed for one in seen)
    found = [f"{counted(hidden, 'invisible, reordering or picture character')}, shown by number"] if hidden else []
    found += [f"{counted(mixed, 'word')} of mixed alphabets"] if mixed else []
    return f"Its text holds {' and '.join(found)}." if found else ""

"""A call of a language model, by the names of OpenTelemetry's conventions for GenAI.

Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/; cost has no name there, ``gen_ai.usage.cost``
is what several tools write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def llm_attributes(
    *,
    model: str | None,
    provider: str | None,
    input_tokens: int | None,
    output_tokens: int | None,
    cost: float | None,
    session: str | None,
    operation: str = "chat",
) -> dict[str, Any]:
    """The facts of one call; what is None is left out.

    Args:
        model, provider: such as ``gpt-4o`` and ``openai``.
        input_tokens, output_tokens: as the provider counted them.
        cost: in US dollars.
        session: the conversation.
        operation: ``chat`` or ``text_completion``.
    """
    facts = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": input_tokens,
        "gen_ai.usage.output_tokens": output_tokens,
        "gen_ai.usage.cost": cost,
        "gen_ai.conversation.id": session,
    }
    return {name: value for name, value in facts.items() if value is not None}


def llm_inputs(prompt: str | None, messages: Sequence[Any] | None) -> dict[str, Any]:
    """What was asked."""
    asked = {"prompt": prompt, "messages": list(messages) if messages is not None else None}
    return {name: value for name, value in asked.items() if value is not None}


def llm_outputs(completion: Any, tool_calls: Sequence[Any] | None) -> dict[str, Any]:
    """What was answered."""
    answered = {"completion": completion, "tool_calls": list(tool_calls) if tool_calls else None}
    return {name: value for name, value in answered.items() if value is not None}

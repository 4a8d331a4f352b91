"""Calls of a language model: nested steps, messages, tokens, cost, tools. The model is a stand-in."""

import runcast

PAPERS = {
    "journal": "A journal keeps what was said, in order, before anybody acts on it.",
    "courier": "A courier carries records to a tracker, and remembers how far it came.",
}
PRICE = {"input": 2.5e-6, "output": 1e-5}  # US dollars per token


def complete(messages: list[dict[str, str]]) -> dict[str, str]:
    """What a provider's client would do over the network."""
    return {"role": "assistant", "content": messages[-1]["content"].splitlines()[-1].removeprefix("Known: ")}


with runcast.start("assistant", name="questions", params={"model": "stand-in-1"}) as run:

    @run.trace(type="retriever")
    def retrieve(question: str) -> list[str]:
        """Every paper whose name occurs in the question; arguments and result are kept by themselves."""
        return [text for name, text in PAPERS.items() if name in question]

    def answer(question: str, session: str) -> str:
        """One trace: the outermost step and all below it."""
        with run.trace("answer", type="chain", inputs={"question": question}, session=session) as span:
            known = retrieve(question)
            messages = [
                {"role": "system", "content": "Answer from what is known."},
                {"role": "user", "content": f"{question}\nKnown: {' '.join(known)}"},
            ]
            reply = complete(messages)
            tokens = [len(message["content"].split()) for message in (*messages, reply)]
            run.log_llm(
                messages=messages,
                completion=reply["content"],
                model="stand-in-1",
                provider="example",
                input_tokens=sum(tokens[:-1]),
                output_tokens=tokens[-1],
                cost=sum(tokens[:-1]) * PRICE["input"] + tokens[-1] * PRICE["output"],
                latency=0.02,
                tool_calls=[{"name": "retrieve", "arguments": {"question": question}}],
            )
            span.set_attributes({"papers": len(known)})
            span.set_outputs(reply["content"])
        run.log({"tokens/input": sum(tokens[:-1]), "tokens/output": tokens[-1]})
        return reply["content"]

    for number, question in enumerate(["What is a journal?", "What does a courier do?"]):
        print(answer(question, session=f"talk-{number}"))

    run.log_llm(
        prompt="Say nothing.", completion="", model="stand-in-1", error=TimeoutError("no answer in 30 s")
    )

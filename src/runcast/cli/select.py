"""``runcast select``: which trackers fit, why, and at what price."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from runcast.cli import output
from runcast.selector.model import Choice, Recommendation
from runcast.selector.rules import BUDGETS, FRAMEWORKS, HOSTINGS, TEAM_SIZES

TeamSize = Annotated[str | None, typer.Option(help="individual, small (2 to 10), large, or a number.")]
Budget = Annotated[str | None, typer.Option(help="free, limited or enterprise.")]
HostingOption = Annotated[str | None, typer.Option("--hosting", help="cloud, self-hosted or either.")]
FrameworkOption = Annotated[
    str | None, typer.Option("--framework", help="pytorch, tensorflow, sklearn or mixed.")
]
Needs = Annotated[list[str] | None, typer.Option("--need", help="registry, sweeps, offline, ...; repeat it.")]
_QUESTIONS = (
    ("team_size", "How many people log and look (individual, small, large, or a number)", TEAM_SIZES),
    ("budget", "What may it cost (free, limited, enterprise)", BUDGETS),
    ("hosting", "Where may it run (cloud, self-hosted, either)", HOSTINGS),
    ("framework", "What are your models made with (pytorch, tensorflow, sklearn, mixed)", FRAMEWORKS),
)
_DEFAULTS = {"team_size": "individual", "budget": "free", "hosting": "either", "framework": "mixed"}


def select_command(
    team_size: TeamSize = None,
    budget: Budget = None,
    hosting: HostingOption = None,
    framework: FrameworkOption = None,
    need: Needs = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Recommend trackers for a team size, a budget, a hosting and a framework.

    Asks for what is not given, where a person is there to answer; else takes the defaults.
    """
    with output.errors():
        answer = ask(team_size, budget, hosting, framework, need, quiet=json)
    if json:
        output.print_json(answer.model_dump(mode="json"))
    else:
        show(answer)


def ask(
    team_size: str | None,
    budget: str | None,
    hosting: str | None,
    framework: str | None,
    needs: list[str] | None,
    *,
    quiet: bool = False,
) -> Recommendation:
    """The selector's answer; what is None is asked for on a terminal."""
    from runcast.selector import select

    given = {"team_size": team_size, "budget": budget, "hosting": hosting, "framework": framework}
    person = not quiet and sys.stdin.isatty() and sys.stdout.isatty()
    answers: dict[str, Any] = {}
    for name, question, words in _QUESTIONS:
        value = given[name]
        if value is None and person:
            value = _prompt(name, question, words)
        answers[name] = value if value is not None else _DEFAULTS[name]
    if answers["team_size"].isdecimal():
        answers["team_size"] = int(answers["team_size"])
    return select(**answers, needs=needs or [])


def _prompt(name: str, question: str, words: tuple[str, ...]) -> str:
    while True:
        word = str(typer.prompt(question, default=_DEFAULTS[name])).strip().lower()
        if word in words or (name == "team_size" and word.isdecimal() and int(word) > 0):
            return word
        typer.echo(f"  one of {', '.join(words)}, please")


def show(answer: Recommendation) -> None:
    """Print an answer for people."""
    console = output.console()
    first = answer.first
    console.print(f"{first.title}: {'; '.join(first.reasons)}.")
    if answer.equal:
        second = answer.choices[1]
        console.print(f"{second.title}: {'; '.join(second.reasons)}.")
    for backend, why in answer.beside.items():
        console.print(f"Beside it {backend}: {why}.")
    rows = [
        (
            str(place),
            choice.title,
            str(choice.cost),
            "; ".join(choice.reasons),
            "; ".join(choice.todo) or "ready",
        )
        for place, choice in enumerate(answer.choices, 1)
    ]
    console.print(output.table(["", "tracker", "for your team", "why here", "to do"], rows))
    console.print(_trade(first, answer.choices[1]) if len(answer.choices) > 1 else "")
    for choice in answer.choices:
        if choice.cost.note and choice.cost.high != 0:
            console.print(output.safe(f"{choice.title}: {choice.cost.note}."))
    console.print("\nruncast.toml (`runcast init` writes it):\n")
    console.print(output.safe(answer.toml, lines=True))


def _trade(first: Choice, second: Choice) -> Any:
    won = ", ".join(difference.feature for difference in first.wins) or "nothing"
    lost = ", ".join(difference.feature for difference in first.losses) or "nothing"
    return output.safe(
        f"Natively in {first.title} and not in {second.title}: {won}.\n"
        f"Natively in {second.title} and not in {first.title}: {lost}.",
        lines=True,
    )

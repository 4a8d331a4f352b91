"""What the selector answers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Cost(_Frozen):
    """A rough price.

    Attributes:
        low, high: USD per month for the whole team; None where only the vendor can tell.
        note: what it is made of.
    """

    low: float | None
    high: float | None
    note: str

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return "by offer"
        if self.high == 0:
            return "free"
        return f"{self.low:.0f} to {self.high:.0f} USD a month"


class Difference(_Frozen):
    """One feature that two trackers hold differently.

    Attributes:
        feature: in words, as in the capability matrix.
        note: how the one that has less holds it, or why it cannot.
    """

    feature: str
    note: str


class Choice(_Frozen):
    """One tracker and what speaks for and against it.

    Attributes:
        backend: its name in configuration.
        title: its own name.
        reasons: why it stands where it stands.
        strengths: what people choose it for.
        unmet: needs that it does not serve.
        wins: features that it holds natively and the first choice (for the first: the second) does not.
        losses: the reverse.
        cost: for this team.
        installed: whether its package is there.
        credentials: whether a key or server was found; None where none is needed.
        todo: commands that are left before it can be used here.
    """

    backend: str
    title: str
    reasons: list[str]
    strengths: list[str] = []
    unmet: list[str] = []
    wins: list[Difference] = []
    losses: list[Difference] = []
    cost: Cost
    installed: bool
    credentials: bool | None = None
    todo: list[str] = []


class Recommendation(_Frozen):
    """The selector's answer.

    Attributes:
        choices: every tracker that is known, best first.
        equal: whether the second choice is as good as the first.
        backends: what to log to: the first choice, and what complements it.
        beside: why each further one of `backends` is there.
        toml: ready configuration, the text of a ``runcast.toml``.
        profile: the answers that it is based on.
    """

    choices: list[Choice]
    equal: bool
    backends: list[str]
    beside: dict[str, str] = {}
    toml: str
    profile: dict[str, str]

    @property
    def first(self) -> Choice:
        """The best choice."""
        return self.choices[0]

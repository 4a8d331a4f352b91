"""Conditions on metrics in words, and what came of each."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from runcast.config import Policy
from runcast.errors import ConfigError
from runcast.plugins.registry import ModelVersion

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_COMPARED = re.compile(r"(?P<metric>.+?)\s*(?P<op>>=|<=|==|>|<)\s*(?P<right>.+)")
_RELATIVE = re.compile(rf"(?P<stage>[A-Za-z][\w-]*)(?:\s*(?P<sign>[-+])\s*(?P<margin>{_NUMBER}))?")
_WORDS = re.compile(
    rf"(?P<metric>.+?)\s+(?P<words>better than|no worse than)\s+(?P<stage>[A-Za-z][\w-]*)"
    rf"(?:\s+(?:by|within)\s+(?P<margin>{_NUMBER}))?"
)
_FORMS = "write 'auc >= 0.95', 'auc >= production - 0.01' or 'loss better than production by 0.1'"
Op = Literal[">=", "<=", "==", ">", "<"]
_COMPARE = {">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt}


class Check(BaseModel):
    """One condition and what came of it.

    Attributes:
        condition: as the policy has it.
        ok: whether it is met.
        actual: what was found.
    """

    model_config = ConfigDict(frozen=True)
    condition: str
    ok: bool
    actual: str


@dataclass(frozen=True)
class Condition:
    """``metric op value``, or ``metric op (the value of the version in a stage) + value``."""

    text: str
    metric: str
    op: Op
    value: float
    stage: str = ""

    def check(self, version: ModelVersion, holders: Mapping[str, ModelVersion]) -> Check:
        """Compare a version's metric; a condition on a stage that is empty is met.

        Args:
            version: what is to be promoted.
            holders: stage → the version that is in it now.
        """
        mine, problem = _number(version, self.metric)
        if problem:
            return Check(condition=self.text, ok=False, actual=problem)
        bound, of = self.value, ""
        if self.stage:
            holder = holders.get(self.stage)
            if holder is None:
                actual = f"{self.metric} is {mine:g}, and no version is in {self.stage} yet"
                return Check(condition=self.text, ok=True, actual=actual)
            theirs, problem = _number(holder, self.metric)
            if problem:
                return Check(condition=self.text, ok=False, actual=f"in {self.stage}, {problem}")
            bound, of = theirs + self.value, f", that of {holder} in {self.stage} is {theirs:g}"
        return Check(
            condition=self.text,
            ok=_compare(mine, self.op, bound),
            actual=f"{self.metric} is {mine:.6g}{of}",
        )


def parse(text: str, policy: Policy) -> Condition:
    """A condition from its words.

    Raises:
        ConfigError: it is none, or names a stage that the policy has not.
    """
    if (found := _WORDS.fullmatch(text.strip())) is not None:
        lower = found["metric"] in policy.lower_is_better
        strict = found["words"] == "better than"
        margin = float(found["margin"] or 0) * (1 if strict else -1)
        op: Op = ("<" if lower else ">") if strict else ("<=" if lower else ">=")
        return Condition(
            text, found["metric"], op, -margin if lower else margin, _stage(text, found["stage"], policy)
        )
    found = _COMPARED.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"[registry.policy] condition {text!r}: {_FORMS}")
    symbol: Op = found["op"]  # type: ignore[assignment]  # the pattern admits these alone
    if re.fullmatch(_NUMBER, found["right"]):
        return Condition(text, found["metric"], symbol, float(found["right"]))
    relative = _RELATIVE.fullmatch(found["right"])
    if relative is None:
        raise ConfigError(f"[registry.policy] condition {text!r}: {_FORMS}")
    value = float(f"{relative['sign'] or ''}{relative['margin'] or 0}")
    return Condition(text, found["metric"], symbol, value, _stage(text, relative["stage"], policy))


def _stage(text: str, stage: str, policy: Policy) -> str:
    if stage not in policy.stages:
        raise ConfigError(
            f"[registry.policy] condition {text!r}: {stage!r} is neither a number nor one of the stages "
            f"({', '.join(policy.stages)}); {_FORMS}"
        )
    return stage


def _number(version: ModelVersion, metric: str) -> tuple[float, str]:
    if metric not in version.metrics:
        known = ", ".join(sorted(version.metrics)[:8]) or "none"
        return 0.0, f"{version} has no metric {metric!r}; it has {known}"
    value = float(version.metrics[metric])
    if math.isnan(value):
        return 0.0, f"{metric} of {version} is NaN, which compares with nothing"
    return value, ""


def _compare(left: float, op: Op, right: float) -> bool:
    if op == "==":
        return left == right
    if op in (">=", "<=") and math.isclose(left, right, rel_tol=1e-12, abs_tol=1e-15):
        return True  # 0.93 - 0.01 is not quite 0.92
    return bool(_COMPARE[op](left, right))

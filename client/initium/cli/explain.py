"""`initium plan --explain`: why a tensor gets its values."""

from __future__ import annotations

from collections.abc import Iterator

from initium.cli import words
from initium.contract.wording import counted
from initium.v1.service_pb2 import ExplainResponse, RuleReach, RuleTrial


def explanation(response: ExplainResponse) -> Iterator[str]:
    """The lines about one tensor: what it gets, the rules that were tried, how the numbers come about."""
    tensor = response.tensor
    yield " = ".join([tensor.name, *tensor.aliases])
    yield f"  {words.shape(tensor.shape)} {tensor.dtype} {words.kind(tensor.kind)}"
    yield f"  {_outcome(response)}"
    tried = ""
    for trial in response.trials:
        if trial.tensor != tried:
            tried = trial.tensor
            yield ""
            yield f"rules tried for {tried}, the first match decides"
        yield f"  {_trial(trial)}"
    if response.derivation:
        yield ""
        yield f"numbers of {tensor.initializer}"
        yield from (f"  {line}" for line in response.derivation)


def _outcome(response: ExplainResponse) -> str:
    if response.failure:
        return f"no fill: {response.failure.strip()}"
    tensor = response.tensor
    by = " ".join(filter(None, (tensor.rule, tensor.rule_name))) or "its library's default: no rule matches it"
    return f"{words.fill(tensor.fill) or tensor.initializer or 'run by generator torch'}, by {by}"


def _trial(trial: RuleTrial) -> str:
    rule = " ".join(filter(None, (trial.path, trial.name)))
    where = f"{trial.failed.removeprefix(trial.path + '.')}: " if trial.failed else ""
    return f"{rule}, {trial.initializer}: {where}{trial.text}"


def reach(rule: RuleReach) -> str:
    """Why a rule decided nothing."""
    if not rule.matched:
        return f"{rule.path} matches no tensor"
    takers = ", ".join(rule.shadowed_by[:3]) + (" and others" if len(rule.shadowed_by) > 3 else "")
    return (
        f"{rule.path} matches {counted(rule.matched, 'tensor')}, all of which go to {takers}: the first match decides"
    )

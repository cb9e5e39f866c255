"""Explain: why a tensor gets its values, over the wire."""

from __future__ import annotations

import json

import pytest

from initium.v1 import service_pb2 as pb
from initium.v1.recipe_pb2 import Recipe
from tests.rpc.calls import RECIPE, Serving, failure, recipe


def test_a_tensor_is_explained_by_recipe_and_by_text(served: Serving) -> None:
    given = recipe()
    given.ClearField("seed")
    text = json.dumps({key: value for key, value in RECIPE.items() if key != "seed"}).encode()
    for request in (pb.ExplainRequest(recipe=given, tensor="b"), pb.ExplainRequest(recipe_text=text, tensor="b")):
        answer = served.stub.Explain(request)
        assert [(trial.path, trial.matched) for trial in answer.trials] == [
            ("init.rules[0]", False),
            ("init.rules[1]", True),
        ]
        assert (answer.tensor.name, answer.tensor.initializer, answer.failure) == ("b", "ones", "")
    assert served.pool.ran == {"explain": 2, "read": 1}


def test_rules_are_told_what_they_reach(served: Serving) -> None:
    answer = served.stub.Explain(pb.ExplainRequest(recipe=recipe()))
    assert [(reach.path, reach.matched, reach.decided) for reach in answer.reaches] == [
        ("init.rules[0]", 2, 2),
        ("init.rules[1]", 2, 2),
    ]
    assert not answer.HasField("tensor")


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (pb.ExplainRequest(tensor="a"), "INVALID_REQUEST", "source"),
        (pb.ExplainRequest(recipe=recipe(), tensor="e"), "INVALID_REQUEST", "tensor"),
        (pb.ExplainRequest(recipe=Recipe(), tensor="a"), "INVALID_RECIPE", "recipe.architecture"),
        (pb.ExplainRequest(recipe_text=b"{a: 1}"), "INVALID_RECIPE", "recipe_text.a"),
        (
            pb.ExplainRequest(recipe=recipe(init={"rules": [{"match": {"regex": ["("]}, "ones": {}}]}), tensor="a"),
            *("INVALID_RECIPE", "recipe.init.rules[0].match.regex[0]"),
        ),
    ],
)
def test_an_explanation_that_cannot_be(served: Serving, request_: pb.ExplainRequest, reason: str, field: str) -> None:
    error = failure(lambda: served.stub.Explain(request_))
    assert (error.code, error.reason, error.fields) == ("INVALID_ARGUMENT", reason, [field])

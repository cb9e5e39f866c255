"""Listings come in pages, whole and in order: the tensors of an architecture, the models of a library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torchvision

from initium.v1 import service_pb2 as pb
from initium.v1.plan_pb2 import TensorKind
from initium.v1.recipe_pb2 import Recipe
from tests.rpc.calls import Serving, failure, recipe, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path) as running:
        yield running


def test_the_inventory_is_what_rules_can_match(served: Serving) -> None:
    given = recipe()
    given.ClearField("init")
    given.ClearField("seed")
    answer = served.stub.ListTensors(pb.ListTensorsRequest(recipe=given))
    assert [(t.name, list(t.shape), t.kind) for t in answer.tensors][:2] == [
        ("a", [700, 401], TensorKind.TENSOR_KIND_PARAMETER),
        ("b", [3], TensorKind.TENSOR_KIND_PARAMETER),
    ]
    assert not answer.next_page_token
    assert served.pool.ran == {"inventory": 1}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 0, 1 << 31])
def test_pages_are_the_whole_in_order(served: Serving, size: int) -> None:
    names, token = [], ""
    while True:
        page = served.stub.ListTensors(pb.ListTensorsRequest(recipe=recipe(), page_size=size, page_token=token))
        names += [tensor.name for tensor in page.tensors]
        token = page.next_page_token
        if not token:
            break
        assert len(page.tensors) == size
    assert names == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (pb.ListTensorsRequest(), "INVALID_REQUEST", "source"),
        (pb.ListTensorsRequest(recipe=recipe(), page_token="x"), "INVALID_REQUEST", "page_token"),
        (pb.ListTensorsRequest(recipe=recipe(), page_token="-1"), "INVALID_REQUEST", "page_token"),
        (pb.ListTensorsRequest(recipe=Recipe()), "INVALID_RECIPE", "recipe.architecture"),
        (pb.ListTensorsRequest(recipe_text=b"{a: 1}"), "INVALID_RECIPE", "recipe_text.a"),
    ],
)
def test_a_listing_that_cannot_be(served: Serving, request_: pb.ListTensorsRequest, reason: str, field: str) -> None:
    error = failure(lambda: served.stub.ListTensors(request_))
    assert (error.code, error.reason, error.fields) == ("INVALID_ARGUMENT", reason, [field])


def test_models_are_listed_by_library(served: Serving) -> None:
    found = served.stub.ListModels(pb.ListModelsRequest(library="torchvision", contains="resnet50"))
    assert list(found.names) == [name for name in torchvision.models.list_models() if "resnet50" in name]
    error = failure(lambda: served.stub.ListModels(pb.ListModelsRequest(library="torchvison")))
    assert (error.reason, error.fields) == ("INVALID_REQUEST", ["library"])
    assert "did you mean 'torchvision'" in error.message


def test_large_entries_make_small_pages(served: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("initium_server.rpc.service.PAGE_BYTES", 1)
    pages = [served.stub.ListTensors(pb.ListTensorsRequest(recipe=recipe(), page_token=str(i))) for i in range(4)]
    assert [[tensor.name for tensor in page.tensors] for page in pages] == [["a"], ["b"], ["c"], ["d"]]
    assert [page.next_page_token for page in pages] == ["1", "2", "3", ""]

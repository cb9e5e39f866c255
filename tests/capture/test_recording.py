"""What is recorded of a constructor: places in storages, writes, and real tensors that come from outside."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from initium_law.draw import MAX_PARTS
from initium_law.grammar import Broadcast, Constant, Dirac, Fill, Literal, Normal, Part, Parts, TruncNormal, Uniform
from initium_server.capture import capture, describe, quiet
from initium_server.capture import evaluator as evaluator_module
from initium_server.capture.recording import Place, Recorder, Ref, place_of, written_arguments
from initium_server.capture.replay import Replay
from tests.capture.making import Make, faithful, fill_of, fills_of, holding, in_place, op
from tests.sources.compare import check_tensors

aten = torch.ops.aten


@given(st.data())
def test_a_place_has_the_numbers_of_its_view(data: st.DataObject) -> None:
    size = tuple(data.draw(st.lists(st.integers(0, 3), max_size=3)))
    stride = tuple(data.draw(st.integers(0, 6)) for _ in size)
    view = torch.arange(64).as_strided(size, stride, 5)
    place, elements = place_of(view), view.flatten().tolist()
    assert place.numel == len(elements)
    assert place.span == ((min(elements), max(elements) + 1) if elements else (5, 5))
    assert place.repeats == any(n > 1 and s == 0 for n, s in zip(size, stride, strict=True))
    assert place == Place(size, stride, 5, torch.int64)


WRITTEN = {
    "in place": (aten.add_.Tensor, ((0, "self"),)),
    "a copy": (aten.copy_.default, ((0, "self"),)),
    "two results": (aten.sort.values, ((3, "values"), (4, "indices"))),
    "a list": (aten._foreach_add_.Scalar, ((0, "self"),)),
    "nothing": (aten.add.Tensor, ()),
    "a view": (aten.view.default, ()),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_an_operator_s_schema_says_what_it_writes(case: str) -> None:
    func, written = WRITTEN[case]
    assert written_arguments(func) == written


def test_operations_are_recorded_in_order_with_what_they_read() -> None:
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    recorder = Recorder(fake, Replay().ask)
    with fake, recorder:
        a = torch.empty(2, 3)
        a[1].fill_(2)
        b = a * 3
        a.zero_()
    assert [event.name for event in recorder.cell(a).events] == ["empty", "fill_", "zero_"]
    (product,) = recorder.cell(b).events
    assert (product.name, product.output, product.place) == ("mul", 0, place_of(b))
    assert product.refs() == [Ref(recorder.cell(a), 2, place_of(a))]
    assert recorder.ref(a) == Ref(recorder.cell(a), 3, place_of(a))
    filled = recorder.cell(a).events[1]
    assert (filled.place, filled.output) == (Place((3,), (1,), 3, torch.float32), None)
    assert recorder.cell(a) is recorder.cell(a[1:])
    assert recorder.cell(a).index != recorder.cell(b).index


OUTSIDE = torch.arange(6.0).view(2, 3)

REAL: dict[str, Make] = {
    "a clone": lambda: OUTSIDE.clone(),
    "a part": lambda: OUTSIDE[1] + 1,
    "its transposed": lambda: OUTSIDE.t() * 2,
    "two uses of it": lambda: OUTSIDE + OUTSIDE.flip(0),
    "copied into": lambda: torch.empty(3, 2).copy_(OUTSIDE.t()),
    "of numpy": lambda: torch.from_numpy(np.arange(3.0)) + 1,
    "of numpy's numbers": lambda: torch.tensor(np.arange(3.0)),
    "of nested lists": lambda: torch.tensor([[1, 2], [3, 4]]),
    "not contiguous": lambda: torch.from_numpy(np.arange(6.0).reshape(2, 3).T).float(),
}


@pytest.mark.parametrize("case", REAL)
def test_real_tensors_of_the_program_have_their_values(case: str) -> None:
    assert isinstance(faithful(lambda: [REAL[case]()]).tensors[0].default, Literal)


def test_a_real_tensor_that_a_constructor_writes_to_is_recorded() -> None:
    real = torch.arange(3.0)
    inventory = describe(capture(lambda: holding([real.add_(1).clone(), real * 2])))
    found = [inventory.literals[t.default.digest] for t in inventory.tensors if isinstance(t.default, Literal)]
    assert [torch.frombuffer(bytearray(data), dtype=torch.float32).tolist() for data in found] == [[1, 2, 3], [2, 4, 6]]


def test_real_tensors_of_equal_numbers_are_constants() -> None:
    sixes, none = torch.full((2, 3), 6.0), torch.empty(0)
    assert fills_of(lambda: [sixes, sixes.half(), torch.cat([sixes.view(-1), none])])[:2] == [(Constant(6.0), "")] * 2
    assert fill_of(lambda: torch.tensor([0.1, 0.1], dtype=torch.float64)) == (Constant(0.1), "")


def test_what_comes_from_the_program_is_called_so() -> None:
    assert fill_of(lambda: torch.tensor([1.0, 2.0]) ** torch.rand(2)) == (None, "cannot express torch.tensor > pow")


CALLS: dict[str, tuple[Make, object]] = {
    "trunc_normal_": (
        lambda: nn.init.trunc_normal_(torch.empty(40, 5), 0.1, 0.2, -0.3, 0.4),
        TruncNormal(0.1, 0.2, -0.3, 0.4),
    ),
    "trunc_normal_ of whole numbers": (
        lambda: nn.init.trunc_normal_(torch.empty(40, 5), 0, 1, -1, 1),
        TruncNormal(0.0, 1.0, -1.0, 1.0),
    ),
    "trunc_normal_ by name": (
        lambda: nn.init.trunc_normal_(torch.empty(40, 5), std=0.5, b=0.4, generator=None),
        TruncNormal(0.0, 0.5, -2.0, 0.4),
    ),
    "trunc_normal_ in a part": (
        in_place(lambda t: t.zero_(), lambda t: nn.init.trunc_normal_(t[1:3])),
        Parts(Constant(0.0), (Part((1, 0), (3, 6), TruncNormal(0.0, 1.0, -2.0, 2.0)),)),
    ),
    "trunc_normal_, then a part": (
        in_place(lambda t: nn.init.trunc_normal_(t), lambda t: t[0].zero_()),
        Parts(TruncNormal(0.0, 1.0, -2.0, 2.0), (Part((0, 0), (1, 6), Constant(0.0)),)),
    ),
    "trunc_normal_, scaled": (
        lambda: nn.init.trunc_normal_(torch.empty(40, 5)).mul_(2),
        op("multiply", TruncNormal(0.0, 1.0, -2.0, 2.0), 2),
    ),
    "dirac_": (lambda: nn.init.dirac_(torch.empty(4, 3, 3)), Dirac(1)),
    "dirac_ in groups": (lambda: nn.init.dirac_(torch.empty(4, 3, 3, 2), groups=2), Dirac(2)),
    "dirac_ of five axes": (lambda: nn.init.dirac_(torch.empty(4, 2, 3, 2, 1), 4), Dirac(4)),
    "dirac_ cloned": (lambda: nn.init.dirac_(torch.empty(4, 3, 3)).clone(), Dirac(1)),
}


@pytest.mark.parametrize("case", CALLS)
def test_some_initializers_are_recorded_as_the_author_called_them(case: str) -> None:
    make, fill = CALLS[case]
    assert faithful(lambda: [make()]).tensors[0].default == fill


@pytest.mark.parametrize(("shape", "groups"), [((4, 3), 1), ((4, 3, 3), 3), ((4, 3, 3, 3, 3, 3), 1)], ids=str)
def test_dirac_refuses_what_torch_refuses(shape: tuple[int, ...], groups: int) -> None:
    def build() -> nn.Module:
        return holding([nn.init.dirac_(torch.empty(shape), groups)])

    with pytest.raises(ValueError, match=r"dimensions are supported|divisible"):
        build()
    with pytest.raises(ValueError, match=rf"dirac_ needs 3 to 5 dimensions .*, got \({', '.join(map(str, shape))}\)"):
        capture(build)


def test_initializers_are_torch_s_own_again_after_a_capture() -> None:
    before = nn.init._no_grad_trunc_normal_, nn.init.dirac_, torch.Tensor.__deepcopy__
    capture(lambda: nn.Linear(2, 2))
    with pytest.raises(ZeroDivisionError):
        capture(lambda: holding([torch.zeros(1 // 0)]))
    assert (nn.init._no_grad_trunc_normal_, nn.init.dirac_, torch.Tensor.__deepcopy__) == before


def test_messages_name_the_initializer_without_its_helper_s_prefix() -> None:
    assert fill_of(lambda: nn.init.trunc_normal_(torch.empty(3)).tanh()) == (
        None,
        "cannot express trunc_normal_ > tanh",
    )


def test_warnings_of_libraries_are_not_shown() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with quiet():
            warnings.warn("a library's remark", UserWarning, stacklevel=1)

        def build() -> nn.Module:
            warnings.warn("a library's remark", UserWarning, stacklevel=1)
            return nn.Linear(2, 2)

        capture(build)
        assert caught == []
        warnings.warn("ours", UserWarning, stacklevel=1)
        assert [str(item.message) for item in caught] == ["ours"]


def test_nothing_of_the_model_is_allocated() -> None:
    model = capture(lambda: nn.Linear(10**7, 10**7)).model
    assert model.weight.shape == (10**7, 10**7)
    assert type(model.weight.data).__name__ == "FakeTensor"


def test_a_capture_makes_room_for_long_chains() -> None:
    capture(lambda: nn.Linear(2, 2))
    assert sys.getrecursionlimit() >= 10_000


def test_errors_of_the_constructor_are_its_own() -> None:
    with pytest.raises(KeyError, match="no such size"):
        capture(lambda: holding([torch.zeros({}["no such size"])]))


PARTIAL: dict[str, tuple[Callable[[], torch.Tensor], str]] = {
    "never written": (in_place(), "uninitialized: torch.empty"),
    "but a row": (in_place(lambda t: t[0].normal_()), "partly uninitialized: torch.empty"),
    "but two ends": (in_place(lambda t: t[0].zero_(), lambda t: t[3].zero_()), "partly uninitialized: torch.empty"),
    "a part of it": (lambda: in_place(lambda t: t[0].zero_())()[1:], "uninitialized: torch.empty"),
}


@pytest.mark.parametrize("case", PARTIAL)
def test_memory_that_was_never_written_is_refused(case: str) -> None:
    make, error = PARTIAL[case]
    fill, found = fill_of(make)
    assert fill is None
    assert found.startswith(error)


def test_the_written_part_of_unwritten_memory_is_expressed() -> None:
    assert fill_of(lambda: in_place(lambda t: t[0].fill_(3))()[0]) == (Constant(3.0), "")
    assert fill_of(lambda: in_place(lambda t: t[1:3].uniform_())()[2, 1:4]) == (Uniform(0.0, 1.0), "")


def test_a_view_of_parts_is_the_parts_that_it_shows() -> None:
    def parts() -> torch.Tensor:
        return torch.cat([torch.zeros(2, 4), torch.ones(2, 4), torch.full((1, 4), 2.0)])

    def views() -> list[torch.Tensor]:
        return [parts()[:2], parts()[1:3], parts()[2:4, 1:], parts()[:, :2], parts()[2]]

    assert [tensor.default for tensor in faithful(views).tensors] == [
        Constant(0.0),
        Parts(Constant(0.0), (Part((1, 0), (2, 4), Constant(1.0)),)),
        Constant(1.0),
        Parts(Constant(0.0), (Part((2, 0), (4, 2), Constant(1.0)), Part((4, 0), (5, 2), Constant(2.0)))),
        Constant(1.0),
    ]


VIEWED: dict[str, tuple[Make, Fill]] = {
    "flattened": (
        lambda: torch.cat([torch.rand(1, 3), torch.zeros(1, 3)]).view(-1),
        Parts(Uniform(0.0, 1.0), (Part((3,), (6,), Constant(0.0)),)),
    ),
    "transposed": (
        lambda: torch.cat([torch.rand(1, 3), torch.zeros(1, 3)]).t(),
        Parts(Uniform(0.0, 1.0), (Part((0, 1), (3, 2), Constant(0.0)),)),
    ),
    "transposed, of a square": (
        lambda: torch.cat([torch.rand(1, 2), torch.zeros(1, 2)]).t().contiguous(),
        Parts(Uniform(0.0, 1.0), (Part((0, 1), (2, 2), Constant(0.0)),)),
    ),
    "expanded": (
        lambda: torch.cat([torch.rand(1, 3), torch.zeros(1, 3)])[:, None].expand(2, 2, 3),
        Parts(Broadcast((1,), Uniform(0.0, 1.0)), (Part((1, 0, 0), (2, 2, 3), Constant(0.0)),)),
    ),
    "in a part of another shape": (
        in_place(lambda t: t.zero_(), lambda t: t.view(-1)[:6].copy_(torch.cat([torch.rand(3), torch.zeros(3)]))),
        Parts(
            Constant(0.0),
            (Part((0, 0), (1, 3), Uniform(0.0, 1.0)), Part((0, 3), (1, 6), Constant(0.0))),
        ),
    ),
}


@pytest.mark.parametrize("case", VIEWED)
def test_parts_are_followed_through_views(case: str) -> None:
    make, fill = VIEWED[case]
    assert faithful(lambda: [make()]).tensors[0].default == fill


OPAQUE: dict[str, tuple[Make, str]] = {
    "no box": (lambda: torch.cat([torch.rand(2), torch.zeros(3), torch.rand(1)]).view(2, 3), "rand > view"),
    "every second": (in_place(lambda t: t.normal_(), lambda t: t[:, ::2].zero_()), "a write to scattered elements"),
}


@pytest.mark.parametrize("case", OPAQUE)
def test_parts_that_a_view_makes_others_are_refused_by_name(case: str) -> None:
    make, words = OPAQUE[case]
    fill, error = fill_of(make)
    assert fill is None
    assert words in error


def test_a_tensor_of_more_parts_than_the_law_draws_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> torch.Tensor:
        tensor = torch.empty(7).normal_()
        for index in range(0, 7, 2):
            tensor[index].fill_(index)
        return tensor

    assert evaluator_module.MAX_PARTS == MAX_PARTS
    monkeypatch.setattr(evaluator_module, "MAX_PARTS", 4)
    assert isinstance(fill_of(make)[0], Parts)
    monkeypatch.setattr(evaluator_module, "MAX_PARTS", 3)
    assert fill_of(make) == (None, "cannot express more than 3 writes")


def test_an_expanded_view_of_draws_repeats_them() -> None:
    assert fill_of(lambda: torch.randn(3, 1).expand(3, 1)) == (Normal(0.0, 1.0), "")
    assert fill_of(lambda: torch.randn(3, 1).expand(3, 2)) == (Broadcast((1,), Normal(0.0, 1.0)), "")
    assert fill_of(lambda: torch.full((3, 1), 2.0).expand(3, 2)) == (Constant(2.0), "")


def test_slow_pure_functions_run_once_and_give_each_a_tensor_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from timm.layers import pos_embed_rel

    asked, real = [], pos_embed_rel.generate_lookup_tensor
    monkeypatch.setattr(pos_embed_rel, "generate_lookup_tensor", lambda *a, **k: asked.append(a) or real(*a, **k))

    def build() -> nn.Module:
        return nn.Sequential(*(pos_embed_rel.RelPosBiasTf(window_size=(3, width), num_heads=1) for width in (3, 2, 3)))

    captured = capture(build)
    assert len(asked) == 2  # lengths 3 and 2
    lookups = [module.width_lookup for module in captured.model]
    assert len({id(lookup) for lookup in lookups}) == 3
    torch.manual_seed(0)
    check_tensors(captured, describe(captured), build(), 0)

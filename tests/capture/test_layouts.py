"""Layouts against torch's own views: which elements are there, and in which order."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from initium_server.capture.layouts import Layout, contiguous, holds, layout_of
from initium_server.capture.recording import place_of

SIZES = ((24,), (4, 6), (2, 3, 4), (2, 2, 2, 3))


def elements(layout: Layout) -> list[int]:
    size, stride = (tuple(axis[k] for axis in layout.axes) for k in (0, 1))
    return torch.arange(1000).as_strided(size, stride, layout.offset).flatten().tolist()


@st.composite
def views(draw: st.DrawFn, tensor: torch.Tensor) -> torch.Tensor:
    """A view made of a few steps."""
    for _ in range(draw(st.integers(0, 3))):
        step = draw(st.sampled_from(("permute", "narrow", "every second", "flatten", "split", "unsqueeze", "diagonal")))
        axes = range(tensor.dim())
        if step == "permute":
            tensor = tensor.permute(draw(st.permutations(axes)))
        elif step == "unsqueeze":
            tensor = tensor.unsqueeze(draw(st.integers(0, tensor.dim())))
        elif step == "flatten" and tensor.is_contiguous():
            tensor = tensor.view(-1)
        elif step == "split" and tensor.is_contiguous() and tensor.numel() % 6 == 0:
            tensor = tensor.view(draw(st.sampled_from(((2, -1), (-1, 3), (2, 3, -1)))))
        elif step == "diagonal" and tensor.dim() > 1:
            tensor = tensor.diagonal()
        elif step in ("narrow", "every second") and axes:
            axis = draw(st.sampled_from(list(axes)))
            start = draw(st.integers(0, tensor.size(axis) - 1))
            tensor = tensor.narrow(axis, start, draw(st.integers(1, tensor.size(axis) - start)))
            tensor = tensor[(slice(None),) * axis + (slice(None, None, 1 + (step != "narrow")),)]
    return tensor


@given(st.sampled_from(SIZES).flatmap(lambda size: views(torch.arange(24).view(size))))
def test_a_layout_means_the_elements_of_its_view_in_order(view: torch.Tensor) -> None:
    assert elements(layout_of(place_of(view))) == view.flatten().tolist()
    assert layout_of(place_of(view)).numel == view.numel()


@given(st.sampled_from(SIZES).flatmap(lambda size: views(torch.arange(24).view(size))), st.data())
def test_a_copy_is_followed_through_any_view_of_it(source: torch.Tensor, data: st.DataObject) -> None:
    copied = source.clone(memory_format=data.draw(st.sampled_from((torch.contiguous_format, torch.preserve_format))))
    view = data.draw(views(copied))
    seen = layout_of(place_of(source)).through(place_of(view), place_of(copied))
    if seen is not None:
        assert elements(seen) == view.flatten().tolist()


FOLLOWED = {
    "transposed": lambda t: t.t(),
    "a column": lambda t: t[:, 2],
    "every second row": lambda t: t[::2],
    "flattened": lambda t: t.flatten(),
    "rows, flattened": lambda t: t.flatten()[6:18],
    "across rows": lambda t: t.flatten()[4:9],
    "the diagonal": lambda t: t.diagonal(),
    "expanded": lambda t: t[:, None].expand(4, 3, 6),
    "an axis split": lambda t: t.view(4, 2, 3)[:, 1],
}


def test_views_that_are_seen() -> None:
    tensor = torch.arange(24).view(4, 6)
    for make in FOLLOWED.values():
        view = make(tensor)
        seen = layout_of(contiguous((4, 6))).through(place_of(view), place_of(tensor))
        assert seen is not None
        assert elements(seen) == view.flatten().tolist()
        assert holds(place_of(tensor), place_of(view))


def test_views_that_leave_the_tensor_are_not_followed() -> None:
    outer = torch.arange(48)[12:36].view(4, 6)
    for view in (
        outer.as_strided((4,), (1,), 10),
        outer.as_strided((4,), (1,), 34),
        outer.as_strided((5, 6), (6, 1), 12),
        outer.as_strided((4, 7), (6, 1), 12),
        outer.as_strided((2,), (40,), 3),
        outer.view(torch.int32),
    ):
        assert layout_of(contiguous((4, 6))).through(place_of(view), place_of(outer)) is None
        assert not holds(place_of(outer), place_of(view))


def test_axes_along_which_nothing_changes() -> None:
    tensor = torch.arange(6).view(1, 3, 2)
    for size, axes in (((4, 3, 2), (0,)), ((1, 3, 2), ()), ((5, 4, 3, 2), (0, 1))):
        view = tensor.expand(size)
        assert layout_of(place_of(view)).repeats(size) == axes
    assert layout_of(place_of(torch.arange(3)[:, None].expand(3, 2))).repeats((3, 2)) == (1,)
    assert layout_of(place_of(torch.arange(1).expand(6))).repeats((2, 3)) == (0, 1)

"""Digests of single tensors on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from blake3 import blake3

from initium.disk.tensors import tensor_digests
from initium.errors import VerifyError
from tests.disk.checkpoints import write_checkpoint


def test_digests_are_those_of_the_tensors(tmp_path: Path) -> None:
    plan, seen = write_checkpoint(tmp_path).plan, []
    found = tensor_digests(tmp_path, plan, lambda *counts: seen.append(counts))
    data = (tmp_path / "model.safetensors").read_bytes()
    assert found == {
        each.name: blake3(data[each.offset : each.offset + each.size]).hexdigest() for each in plan.tensors
    }
    assert seen == [(len(data), sum(file.size for file in plan.files))]


def test_a_file_that_ends_too_soon_or_is_missing_is_named(tmp_path: Path) -> None:
    plan, file = write_checkpoint(tmp_path).plan, tmp_path / "model.safetensors"
    last = plan.tensors[-1]
    file.write_bytes(file.read_bytes()[: last.offset + 2])
    with pytest.raises(VerifyError, match=rf"model\.safetensors: ends {last.size - 2} bytes before the end of bytes"):
        tensor_digests(tmp_path, plan)
    file.unlink()
    with pytest.raises(VerifyError, match=r"model\.safetensors: cannot be read: No such file"):
        tensor_digests(tmp_path, plan)

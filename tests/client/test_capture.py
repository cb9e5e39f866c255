"""Models of users' own: what is captured, what is refused in which words, and the command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import initium
import initium.torch
from initium import cli
from initium.errors import InitiumError

MODULE = """
import torch
from torch import nn

print("a module that prints")
number = 3


class Tied(nn.Module):
    def __init__(self, width=2, broken=False):
        super().__init__()
        print("a constructor that prints")
        self.embed = nn.Embedding(5, width, padding_idx=0)
        self.head = nn.Linear(width, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("mask", torch.ones(3, 3).tril())
        if broken:
            raise KeyError("no such layer")

    @classmethod
    def wide(cls):
        return cls(7)


class Leaves(nn.Module):
    def __init__(self):
        raise SystemExit(0)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a model of one's own."""
    (tmp_path / "own_model.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "own_model", raising=False)
    return tmp_path


def test_a_recipe_as_a_dict_takes_what_is_captured() -> None:
    architecture = initium.torch.capture(nn.Linear, 3, out_features=2)
    recipe = initium.load_recipe({"architecture": architecture, "seed": 1})
    assert recipe.architecture == architecture
    assert [list(tensor.shape) for tensor in architecture.captured.tensors] == [[2, 3], [2]]


def test_no_memory_is_taken() -> None:
    architecture = initium.torch.capture(nn.Linear, 1 << 20, 1 << 20)
    assert list(architecture.captured.tensors[0].shape) == [1 << 20, 1 << 20]


class Bad(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.good = nn.Parameter(torch.randn(3))
        self.empty = nn.Parameter(torch.empty(3))
        self.odd = nn.Parameter(torch.randn(3).sin().tan())


def test_every_tensor_that_cannot_be_expressed_is_named_with_the_reason() -> None:
    with pytest.raises(initium.RecipeError, match="no fill expresses 2 tensors") as caught:
        initium.torch.capture(Bad)
    found = {violation.field: violation.message for violation in caught.value.violations}
    assert found == {"empty": "uninitialized: torch.empty", "odd": "cannot express randn > sin > tan"}


def test_the_remedy_of_the_message_works() -> None:
    def build() -> nn.Module:
        model = Bad()
        nn.init.zeros_(model.empty)
        nn.init.zeros_(model.odd)
        return model

    assert len(initium.torch.capture(build).captured.tensors) == 3


def drawn_by_numpy() -> nn.Module:
    model = nn.Linear(2, 2)
    model.weight = nn.Parameter(torch.from_numpy(np.random.default_rng().normal(size=(2, 2))))
    return model


REFUSED: list[tuple[Callable[[], Any], type[InitiumError], str]] = [
    (lambda: nn.LazyLinear(3), initium.RecipeError, "use the class without Lazy"),
    (lambda: 3, initium.RecipeError, "the constructor made a int; it must make a torch.nn.Module"),
    (nn.ReLU, initium.RecipeError, "no parameters and no buffers"),
    (drawn_by_numpy, initium.RecipeError, "weight: built twice, it was filled in two ways"),
    (lambda: nn.Linear(2, 3, dtype=torch.complex128), initium.Unsupported, "weight has the dtype torch.complex128"),
]


@pytest.mark.parametrize(("construct", "kind", "words"), REFUSED)
def test_what_cannot_be_captured_is_said(construct: Callable[[], Any], kind: type[InitiumError], words: str) -> None:
    with pytest.raises(kind, match=words):
        initium.torch.capture(construct)


def test_what_the_constructor_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        initium.torch.capture(lambda: 1 // 0)
    with pytest.raises(RuntimeError, match="mine"):
        initium.torch.capture(lambda: (_ for _ in ()).throw(RuntimeError("mine")))


def test_it_must_fit_into_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initium.torch, "MESSAGE_BYTES", 100)
    with pytest.raises(initium.LimitExceeded, match="the limit is 100") as caught:
        initium.torch.capture(nn.Linear, 2, 2)
    assert caught.value.metadata["limit"] == "message_bytes"


@pytest.mark.parametrize("hidden", ["torch", "re2"])
def test_what_is_missing_is_named(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("initium_server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, hidden, None)
    with pytest.raises(initium.ServerMissing, match=f"needs {hidden}, which is not installed here"):
        initium.torch.capture(lambda: None)


def test_the_command_writes_a_recipe_without_a_seed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["capture", "own_model:Tied", "--args", '{"width": 4}', "-o", "own.yaml"]) == 0
    assert "wrote own.yaml: 2 tensors" in capsys.readouterr().err
    with pytest.raises(initium.RecipeError, match="seed: required"):
        initium.load_recipe(here / "own.yaml")
    architecture = initium.load_recipe(here / "own.yaml", seed=1).architecture
    assert architecture == initium.torch.capture(sys.modules["own_model"].Tied, 4)
    (literal,) = architecture.captured.literals.values()
    assert np.array_equal(np.frombuffer(literal, "<f4").reshape(3, 3), np.tri(3))
    assert [owner.name for owner in architecture.captured.tensors[0].owners] == ["embed.weight", "head.weight"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("words", [["own_model:Tied", "--args", "[7]"], ["own_model:Tied.wide"]])
def test_stdout_is_for_the_recipe(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["capture", *words]) == 0
    out, err = capsys.readouterr()
    assert list(initium.load_recipe(out, seed=1).architecture.captured.tensors[0].shape) == [5, 7]
    assert "a constructor that prints" in err


FAULTS = [
    (["own_model"], "'own_model' is not MODULE:CALLABLE as in Python's import; write e.g. own_model:GPT"),
    (["./own_model.py:Tied"], "write e.g. own_model:Tied"),
    (["own_modle:Tied"], "there is no module 'own_modle' in this directory"),
    (["own_model:Tide"], "own_model has no 'Tide'; did you mean 'Tied'?"),
    (["own_model:number"], "own_model:number is a int; name a class or a function"),
    (["own_model:Tied", "--args", "3"], "neither a JSON object nor a list"),
    (["own_model:Tied", "--args", "{"], "no JSON"),
    (["own_model:Tied", "--args", '{"depth": 1}'], "got an unexpected keyword argument 'depth'"),
    (["own_model:Tied", "--args", '{"broken": true}'], "raise KeyError(\"no such layer\")\nKeyError: 'no such layer'"),
    (["own_model:Leaves"], "raise SystemExit(0)"),
    (["broken_module:Any"], "ModuleNotFoundError: No module named 'nowhere'"),
]


@pytest.mark.parametrize(("words", "said"), FAULTS)
def test_faults_of_the_command(words: list[str], said: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "broken_module.py").write_text("import nowhere\n")
    assert cli.main(["capture", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in "\n".join(line.strip() for line in err.splitlines())
    assert "initium/torch/__init__.py" not in err


def test_help_says_whose_code_runs_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["capture", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "your own code, and it runs in this process" in text
    assert "No server ever runs it" in text

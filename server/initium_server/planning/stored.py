"""Rules that load from a checkpoint: which of its tensors a tensor takes, as a fill, and a report of what was loaded.

Pure: the checkpoint comes as names, dtypes and shapes, with a function that says the digest of each.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Protocol

from initium.contract import stores
from initium.contract.wording import counted, did_you_mean, joined, suggestion
from initium.errors import InitiumError, RecipeError, Violation
from initium.plan.stores import SourceTensor
from initium.v1 import init_pb2, plan_pb2
from initium_law.draw import MAX_PARTS
from initium_law.grammar import Broadcast, Constant, Fill, Part, Parts, Pointwise, Stored
from initium_server.planning.inventory import InventoryTensor
from initium_server.planning.patterns import MAX_PATTERN, compile_regex

STORED = "stored"
"""The initializer. It belongs to a rule and not to a target, so it is none of the registered ones."""
MAX_RENAMES = 100
MAX_MATCHES = 100
"""Matches in one name that a rename replaces: no model has such names, and each takes time and memory."""
MAX_NAME = 10_000
"""Characters of a renamed name; what is longer is cut, and no checkpoint has it."""
SHOWN = 20
"""Names of a list in a report."""
_FIRST = 3
"""Names that an error shows of each side."""
_MISSING, _MISMATCH = ("error", "next"), ("error", "next", "fit")

Shape = tuple[int, ...]


class Source(Protocol):
    """A checkpoint in a store."""

    @property
    def store(self) -> str:
        """Its store."""

    @property
    def tensors(self) -> Mapping[str, SourceTensor]:
        """Its tensors by name."""

    def digest(self, name: str, /) -> str:
        """SHA-256 of a tensor's bytes, lower-case hex."""


Sources = Callable[[str], Source]
"""From `STORE/path` to the checkpoint. Errors: PreconditionError."""


def check(message: init_pb2.Stored, path: str) -> list[Violation]:
    """What is wrong with the arguments of a `stored` rule by themselves."""
    found = []
    try:
        stores.split(getattr(message, "from"))
    except ValueError as error:
        found.append(Violation(f"{path}.from", str(error)))
    for name, known in (("missing", _MISSING), ("mismatch", _MISMATCH)):
        if (word := getattr(message, name)) and word not in known:
            found.append(Violation(f"{path}.{name}", f"{word!r} is unknown; {suggestion(word, known, 'words')}"))
    if message.HasField("scale") and not math.isfinite(message.scale):
        found.append(Violation(f"{path}.scale", f"is {message.scale}; it must be finite"))
    try:
        _renames(message, path)
    except RecipeError as error:
        found += error.violations
    return found


def _renames(message: init_pb2.Stored, path: str) -> list[tuple[Any, str]]:
    """The compiled expressions with what takes the place of their matches. Errors: RecipeError."""
    if len(message.rename) > MAX_RENAMES:
        text = f"has {len(message.rename)} entries; {MAX_RENAMES} are the most"
        raise RecipeError(violations=[Violation(f"{path}.rename", text)])
    compiled = []
    for i, rename in enumerate(message.rename):
        pattern = compile_regex(rename.pattern, f"{path}.rename[{i}].pattern")
        groups = [int(number) for number in re.findall(r"\\(\d)", rename.to.replace(r"\\", ""))]
        strays = re.search(r"\\(?![\d\\])", rename.to.replace(r"\\", ""))
        if strays or max(groups, default=0) > pattern.groups or len(rename.to) > MAX_PATTERN:
            text = f"{rename.to[:80]!r}: `\\1` to `\\{pattern.groups}` are this pattern's groups, `\\\\` is a backslash"
            raise RecipeError(violations=[Violation(f"{path}.rename[{i}].to", text)])
        compiled.append((pattern, rename.to))
    return compiled


@dataclass
class Loading:
    """One `stored` rule, with its checkpoint, and what was found there."""

    message: init_pb2.Stored
    source: Source
    renames: list[tuple[Any, str]]
    missing: dict[str, str] = field(default_factory=dict)
    """Tensors that the source lacks, with the names that were looked for."""
    mismatched: dict[str, None] = field(default_factory=dict)
    fitted: dict[str, None] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    """Names in the source."""

    @classmethod
    def of(cls, message: init_pb2.Stored, path: str, sources: Sources) -> Loading:
        """A rule that was checked; its arguments stand at `path`. Errors: PreconditionError."""
        try:
            return cls(message, sources(getattr(message, "from")), _renames(message, path))
        except InitiumError as error:
            text = error.message
            raise type(error)("", error.reason, error.violations or [Violation(f"{path}.from", text)]) from None

    def matches(self, tensor: InventoryTensor) -> bool:
        """Whether the rule is for a tensor that its selector selects: what `next` says is left to later rules."""
        name = self._find(tensor)
        if name is None:
            return self.message.missing != "next"
        return self._fits(name, tensor) or self.message.mismatch != "next"

    def why_not(self, tensor: InventoryTensor) -> str:
        """Why a tensor that the selector selects is left to later rules."""
        name = self._find(tensor)
        if name is None:
            return f"{self.origin} has no tensor {self.missing[tensor.name][:200]!r}, so later rules decide"
        return f"{name!r} of {self.origin} has shape {list(self._shape(name))}, so later rules decide"

    def fill(self, args: Any, tensor: InventoryTensor, rest: Callable[[], Fill]) -> Fill:
        """What the tensor loads; `rest`: what it would have without this rule. ValueError where it cannot be.

        `args`: the rule's arguments, with those that are computed for the tensor.
        """
        name = self._find(tensor)
        if name is None:
            looked_for = self.missing[tensor.name]
            hint = did_you_mean(looked_for, self.source.tensors) if len(self.missing) == 1 else ""  # It takes time.
            remedy = "put a rule for it before this one, rename it, or set `missing: next`"
            raise ValueError(joined(f"{self.origin} has no tensor {looked_for[:200]!r}", hint, remedy))
        found, have = self.source.tensors[name], self._shape(name)
        fits = self._fits(name, tensor)
        if not fits and (self.message.mismatch != "fit" or len(have) != len(tensor.shape)):
            fit = ", or `fit`" if len(have) == len(tensor.shape) else " (`fit` needs as many axes)"
            remedy = f"put a rule for it before this one, or set `mismatch: next`{fit}"
            raise ValueError(f"{name!r} of {self.origin} has shape {list(have)}, not {list(tensor.shape)}; {remedy}")
        if self.message.transpose and len(have) > 2:
            raise ValueError(f"{name!r} of {self.origin} has {len(have)} axes; `transpose` is for tensors of up to 2")
        axes = (1, 0) if self._transposes(name) else ()
        piece: Fill = Stored(
            self.source.store, found.file, name, self.source.digest(name), found.dtype, found.shape, axes
        )
        if args.HasField("scale"):
            piece = Pointwise("multiply", (piece, Constant(args.scale)))
        self.taken.add(name)
        if not fits:
            self.fitted[tensor.name] = self.mismatched.pop(tensor.name)
        box = tuple(map(min, have, tensor.shape))
        if self.message.repeat and all(box):
            return _tiled(piece, box, tensor.shape)
        return piece if box == tensor.shape else Parts(rest(), (Part((0,) * len(box), box, piece),))

    def nothing(self) -> str:
        """Why no tensor was loaded; empty where one was, where none was tried, or where each says why itself."""
        if self.taken:
            return ""
        if not self.missing:
            if not self.mismatched or self.message.mismatch != "next":
                return ""
            return f"{self.origin} has another shape for each of {_listed(self.mismatched)}; it loads nothing"
        text = f"{self.origin} has none of {counted(len(self.missing), 'tensor')} that it should have"
        sides = f"looked for: {_listed(self.missing.values())}; it has: {_listed(self.source.tensors)}"
        return joined(text, sides, self._remedy())

    def report(self, rule: str, names: Mapping[str, Collection[str]], loaded: int) -> plan_pb2.StoredReport:
        """What the rule at a path loaded, and the lists of a report, by their names."""
        report = plan_pb2.StoredReport(rule=rule, loaded=loaded)
        setattr(report, "from", self.origin)
        for name, found in names.items():
            if found:
                getattr(report, name).CopyFrom(plan_pb2.NameList(names=[*found][:SHOWN], total=len(found)))
        return report

    @property
    def origin(self) -> str:
        """`STORE/path`."""
        return str(getattr(self.message, "from"))

    def _find(self, tensor: InventoryTensor) -> str | None:
        """The tensor's name in the source: that of the first of its own which is there."""
        looked_for = [self._renamed(owner.name) for owner in tensor.owners]
        found = next((name for name in looked_for if name in self.source.tensors), None)
        if found is None:
            self.missing[tensor.name] = looked_for[0]
        return found

    def _renamed(self, name: str) -> str:
        for pattern, to in self.renames:
            name = pattern.sub(to, name, MAX_MATCHES)[:MAX_NAME]
        return name

    def _transposes(self, name: str) -> bool:
        return self.message.transpose and len(self.source.tensors[name].shape) == 2

    def _shape(self, name: str) -> Shape:
        """The shape of a tensor of the source, its axes exchanged where they are to be."""
        shape = self.source.tensors[name].shape
        return shape[::-1] if self._transposes(name) else shape

    def _fits(self, name: str, tensor: InventoryTensor) -> bool:
        have, want = self._shape(name), tensor.shape
        tiles = len(have) == len(want) and all(0 < h <= w for h, w in zip(have, want, strict=True))
        if have == want or (tiles and self.message.repeat):
            return True
        self.mismatched[tensor.name] = None
        return False

    def _remedy(self) -> str:
        """The prefix that most of the names lack, or have too many, as a rename."""
        moved = Counter[tuple[str, str]]()
        ends = {end: prefix for name in self.source.tensors for prefix, end in _splits(name)}
        for name in self.missing.values():
            if name in ends:
                moved["^", ends[name]] += 1
            for prefix, end in _splits(name):
                if end in self.source.tensors:
                    moved[f"^{re.escape(prefix)}", ""] += 1
        if not moved:
            return "make names here into names there with `rename`"
        (pattern, to), _ = moved.most_common(1)[0]
        return f"try `rename: [{{pattern: '{pattern}', to: '{to}'}}]`"


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """A dotted name in two, at each of its dots, which goes to the first."""
    for dot in re.finditer(r"\.", name):
        yield name[: dot.end()], name[dot.end() :]


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    more = ", ..." if len(listed) > _FIRST else ""
    return ", ".join(listed[:_FIRST]) + more


def _tiled(piece: Fill, box: Shape, shape: Shape) -> Fill:
    """`piece`, which fills a box from the corner on, repeated along all axes to a shape."""
    axes = tuple(axis for axis, (have, want) in enumerate(zip(box, shape, strict=True)) if have == 1 < want)
    inner = tuple(1 if axis in axes else want for axis, want in enumerate(shape))
    steps = [range(0, want, have) for have, want in zip(box, inner, strict=True)]
    if (count := math.prod(map(len, steps))) > MAX_PARTS:
        text = f"`repeat` from {list(box)} to {list(shape)} takes {count:,} parts; {MAX_PARTS:,} are the most"
        raise ValueError(text)
    starts = list(product(*steps))
    fill = piece if len(starts) == 1 else Parts(Constant(0.0), tuple(_tiles(piece, starts, box, inner)))
    return Broadcast(axes, fill) if axes else fill


def _tiles(piece: Fill, starts: Sequence[Shape], box: Shape, shape: Shape) -> Iterator[Part]:
    for start in starts:
        ends = zip(start, box, shape, strict=True)
        yield Part(start, tuple(min(low + extent, end) for low, extent, end in ends), piece)


def reports(loadings: Mapping[str, Loading], deciding: Mapping[str, str]) -> Iterator[plan_pb2.StoredReport]:
    """What every rule loaded; `loadings` by the paths of their rules, `deciding` the path of each tensor's rule."""
    counts, before, taken = Counter(deciding.values()), set[str](), dict[str, set[str]]()
    for loading in loadings.values():
        taken.setdefault(loading.origin, set()).update(loading.taken)
    for path, loading in loadings.items():
        # What an earlier rule took in part was offered to this one for its rest only.
        left: dict[str, Mapping[str, Any]] = {"missing": loading.missing, "mismatched": loading.mismatched}
        lists = {name: [each for each in found if deciding[each] not in before] for name, found in left.items()}
        lists["fitted"] = list(loading.fitted)
        lists["unused"] = [name for name in loading.source.tensors if name not in taken[loading.origin]]
        yield loading.report(path, lists, counts[path])
        before.add(path)

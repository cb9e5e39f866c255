"""Words for people, the same in every message: counts, sizes, and the nearest right word for a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice

_SHOWN = 40
_COMPARED = 5000  # words; comparing takes time

_WORDS = {
    "F64": "float64 double fp64",
    "F32": "float32 float fp32",
    "F16": "float16 half fp16",
    "BF16": "bfloat16 bfloat",
    "F8_E4M3": "float8_e4m3fn float8_e4m3 fp8",
    "F8_E5M2": "float8_e5m2",
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
    "normal": "gaussian",
    "eye": "identity",
    "any_of": "any or",
    "all_of": "all and",
    "none_of": "not none",
    "module": "class type layer",
    "path": "name",
    "lr": "learning_rate",
    "weight_decay": "wd decay",
    "pt": "torch pytorch",
    "np": "numpy",
}
"""What PyTorch and other libraries call the words of recipes."""
_ALIASES = {alias: word for word, aliases in _WORDS.items() for alias in aliases.split()}


def counted(count: int, noun: str) -> str:
    """`1 file`, `2,000 files`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def human_bytes(count: float) -> str:
    """`count` bytes in the largest binary unit that keeps it at least 1."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def nearest(word: str, known: Iterable[str], most: int = 1) -> list[str]:
    """The words of `known` that `word` may stand for, the likeliest first: by its letters, or by another name."""
    right = {name.lower(): name for name in islice(known, _COMPARED)}
    aliases = {alias: right[name.lower()] for alias, name in _ALIASES.items() if name.lower() in right}
    right = aliases | right
    word = word.lower()
    if word in right:
        return [right[word]]
    longer = (spelling for spelling in right if len(word) > 3 and spelling.startswith(word))
    found = [*islice(longer, most), *difflib.get_close_matches(word, right, most)]
    return list(dict.fromkeys(right[spelling] for spelling in found))[:most]


def joined(*parts: str) -> str:
    """Parts of a message, with what stands between them."""
    return "; ".join(filter(None, parts)).replace("?; ", "? ")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean X?`, or nothing."""
    found = nearest(word, known)
    return f"did you mean {found[0]}?" if found else ""


def suggestion(word: str, known: Iterable[str], noun: str = "accepted") -> str:
    """The close matches of a word, and what would be accepted, in its order."""
    names = list(dict.fromkeys(known))
    close = nearest(word, names, 3)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    rest = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    if close and rest:
        return hint.strip()
    return f"{hint}{noun}: {', '.join(names[:_SHOWN]) or 'none'}{rest}"

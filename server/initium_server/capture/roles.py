"""The role vocabulary (`initium.v1.Selector.role`), derived from a tensor's kind, name and owners."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from initium_server.planning.inventory import ROLES, Owner


def _has_base(*names: str) -> Callable[[Owner], bool]:
    return lambda owner: not set(names).isdisjoint(owner.classes)


# How a library names its own versions of torch's classes counts too: LlamaRMSNorm, GPT2Attention, T5LayerNorm.
_KINDS: dict[str, Callable[[Owner], bool]] = {
    "norm": lambda owner: any("Norm" in name for name in owner.classes[:-1]),
    "embedding": lambda owner: _has_base("Embedding", "EmbeddingBag")(owner) or owner.classes[0].endswith("Embedding"),
    "conv": lambda owner: _has_base("_ConvNd")(owner),
    # transformers' Conv1D is a linear layer with a transposed weight.
    "linear": lambda owner: _has_base("Linear", "Bilinear", "Conv1D")(owner),
    "recurrent": lambda owner: _has_base("RNNBase", "RNNCellBase")(owner),
    "attention": lambda owner: _has_base("MultiheadAttention")(owner) or "Attention" in owner.classes[0],
    "activation": lambda owner: (
        owner.class_path.startswith("torch.nn.modules.activation.") and owner.classes[0] != "MultiheadAttention"
    ),
}


def roles_of(kind: str, owners: Iterable[tuple[Owner, bool]]) -> tuple[str, ...]:
    """The words that hold for a tensor under any of its names, in the vocabulary's order.

    Each owner comes with whether it is the model's head, the last module that owns a parameter.
    """
    words = {kind}
    for owner, is_head in owners:
        if kind == "parameter":
            words.update(word for word in ("weight", "bias") if owner.leaf == word or owner.leaf.endswith(word))
        words.update(word for word, holds in _KINDS.items() if holds(owner))
        if is_head and kind == "parameter":
            words.add("head")
    return tuple(word for word in ROLES if word in words)

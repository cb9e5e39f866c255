"""Initializers, torch.nn.init's and other libraries', as functions from a tensor to a fill.

Each takes the arguments of its message in init.proto and what it fills, and returns the fill with the numbers that it
resolved. To add one: add the message to init.proto and a function to one of these files.
"""

from initium_server.planning.initializers import layers, matrices, nested, plain, ranges, references, scaling
from initium_server.planning.initializers.registry import (
    INITIALIZERS,
    LIBRARY_DEFAULT,
    NOT_OF_TORCH,
    Resolution,
    initializer,
    resolve_rule,
)

__all__ = [
    "INITIALIZERS",
    "LIBRARY_DEFAULT",
    "NOT_OF_TORCH",
    "Resolution",
    "initializer",
    "layers",
    "matrices",
    "nested",
    "plain",
    "ranges",
    "references",
    "resolve_rule",
    "scaling",
]

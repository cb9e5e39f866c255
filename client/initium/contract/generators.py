"""The generators that a recipe can name."""

from initium_law import LAW

TORCH = "torch"
"""The bytes of a PyTorch script in the same environment."""

GENERATORS = (LAW, TORCH)

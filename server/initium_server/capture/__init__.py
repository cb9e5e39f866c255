"""The default fill of every tensor of a model, captured from its own constructor.

`capture` runs a constructor under fake tensors, `recording` notes every operation (`calls`: some functions as one),
`evaluator` reads the notes symbolically (with `operators`, `steps`, `symbols` and `boxes`), `replay` computes what no
random number went into, and `describe` makes the inventory.
"""

from initium_server.capture.capture import Capture, capture, quiet
from initium_server.capture.describe import describe

__all__ = ["Capture", "capture", "describe", "quiet"]

"""The default fill of every tensor of a model, captured from its own constructor.

A constructor runs under fake tensors. `recording` notes every operation (`calls`: some functions as one), `evaluator`
reads the notes symbolically (with `operators`, `steps`, `symbols` and `boxes`), `replay` computes what no random number
went into, `fills` has the fill of each tensor, and `inventory` describes the whole model.
"""

from initium_server.capture.fills import Capture, capture, quiet
from initium_server.capture.inventory import describe

__all__ = ["Capture", "capture", "describe", "quiet"]

"""Where in a rule something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from initium.contract.strict import join


class At(ValueError):
    """What is wrong, and the field of a rule that it is about."""

    def __init__(self, field: str, text: str) -> None:
        self.field = field
        super().__init__(text)


@contextmanager
def at(field: str) -> Iterator[None]:
    """Has every ValueError inside say that it is about `field`, or about what it names below it."""
    try:
        yield
    except OverflowError:
        raise At(field, "its numbers are out of range") from None
    except ValueError as error:
        raise At(join(field, error.field) if isinstance(error, At) else field, str(error)) from None

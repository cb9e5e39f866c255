"""Proofs of the law that take long: `python -m tests.prove`, part of `make prove`. Results stand in RECORD.md."""

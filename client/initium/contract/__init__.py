"""The contract in Python: canonical form and digests (`canonical`, `leaves`), recipes and plans read strictly.

`initium.v1` beside it is generated from the protos.
"""

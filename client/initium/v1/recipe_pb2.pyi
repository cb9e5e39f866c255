from initium.v1 import architecture_pb2 as _architecture_pb2
from initium.v1 import groups_pb2 as _groups_pb2
from initium.v1 import init_pb2 as _init_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Recipe(_message.Message):
    __slots__ = ("architecture", "seed", "generator", "dtype", "init", "groups", "output")
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    GENERATOR_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    INIT_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    architecture: _architecture_pb2.Architecture
    seed: int
    generator: str
    dtype: str
    init: _init_pb2.InitPolicy
    groups: _groups_pb2.GroupPolicy
    output: Output
    def __init__(self, architecture: _Optional[_Union[_architecture_pb2.Architecture, _Mapping]] = ..., seed: _Optional[int] = ..., generator: _Optional[str] = ..., dtype: _Optional[str] = ..., init: _Optional[_Union[_init_pb2.InitPolicy, _Mapping]] = ..., groups: _Optional[_Union[_groups_pb2.GroupPolicy, _Mapping]] = ..., output: _Optional[_Union[Output, _Mapping]] = ...) -> None: ...

class Output(_message.Message):
    __slots__ = ("max_shard_bytes",)
    MAX_SHARD_BYTES_FIELD_NUMBER: _ClassVar[int]
    max_shard_bytes: int
    def __init__(self, max_shard_bytes: _Optional[int] = ...) -> None: ...

from google.protobuf import struct_pb2 as _struct_pb2
from initium.v1 import init_pb2 as _init_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GroupPolicy(_message.Message):
    __slots__ = ("optimizer", "defaults", "rules", "adjust", "freeze", "default_group")
    OPTIMIZER_FIELD_NUMBER: _ClassVar[int]
    DEFAULTS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    ADJUST_FIELD_NUMBER: _ClassVar[int]
    FREEZE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_GROUP_FIELD_NUMBER: _ClassVar[int]
    optimizer: str
    defaults: _struct_pb2.Struct
    rules: _containers.RepeatedCompositeFieldContainer[GroupRule]
    adjust: _containers.RepeatedCompositeFieldContainer[Adjustment]
    freeze: _containers.RepeatedCompositeFieldContainer[Freeze]
    default_group: str
    def __init__(self, optimizer: _Optional[str] = ..., defaults: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., rules: _Optional[_Iterable[_Union[GroupRule, _Mapping]]] = ..., adjust: _Optional[_Iterable[_Union[Adjustment, _Mapping]]] = ..., freeze: _Optional[_Iterable[_Union[Freeze, _Mapping]]] = ..., default_group: _Optional[str] = ...) -> None: ...

class GroupRule(_message.Message):
    __slots__ = ("name", "match", "options", "scale", "optional")
    class ScaleEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    MATCH_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    match: _init_pb2.Selector
    options: _struct_pb2.Struct
    scale: _containers.ScalarMap[str, float]
    optional: bool
    def __init__(self, name: _Optional[str] = ..., match: _Optional[_Union[_init_pb2.Selector, _Mapping]] = ..., options: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., scale: _Optional[_Mapping[str, float]] = ..., optional: _Optional[bool] = ...) -> None: ...

class Adjustment(_message.Message):
    __slots__ = ("name", "match", "scale", "optional")
    class ScaleEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    MATCH_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    match: _init_pb2.Selector
    scale: _containers.ScalarMap[str, float]
    optional: bool
    def __init__(self, name: _Optional[str] = ..., match: _Optional[_Union[_init_pb2.Selector, _Mapping]] = ..., scale: _Optional[_Mapping[str, float]] = ..., optional: _Optional[bool] = ...) -> None: ...

class Freeze(_message.Message):
    __slots__ = ("match", "optional")
    MATCH_FIELD_NUMBER: _ClassVar[int]
    OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    match: _init_pb2.Selector
    optional: bool
    def __init__(self, match: _Optional[_Union[_init_pb2.Selector, _Mapping]] = ..., optional: _Optional[bool] = ...) -> None: ...

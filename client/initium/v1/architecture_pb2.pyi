from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Architecture(_message.Message):
    __slots__ = ("library", "modules", "tensors")
    LIBRARY_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    library: LibraryModel
    modules: ModuleTree
    tensors: TensorList
    def __init__(self, library: _Optional[_Union[LibraryModel, _Mapping]] = ..., modules: _Optional[_Union[ModuleTree, _Mapping]] = ..., tensors: _Optional[_Union[TensorList, _Mapping]] = ...) -> None: ...

class LibraryModel(_message.Message):
    __slots__ = ("source", "name", "args", "config")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    source: str
    name: str
    args: _struct_pb2.Struct
    config: _struct_pb2.Struct
    def __init__(self, source: _Optional[str] = ..., name: _Optional[str] = ..., args: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., config: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class ModuleTree(_message.Message):
    __slots__ = ("root", "blocks", "ties")
    class BlocksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Module
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Module, _Mapping]] = ...) -> None: ...
    ROOT_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    TIES_FIELD_NUMBER: _ClassVar[int]
    root: Module
    blocks: _containers.MessageMap[str, Module]
    ties: _containers.RepeatedCompositeFieldContainer[Tie]
    def __init__(self, root: _Optional[_Union[Module, _Mapping]] = ..., blocks: _Optional[_Mapping[str, Module]] = ..., ties: _Optional[_Iterable[_Union[Tie, _Mapping]]] = ...) -> None: ...

class Module(_message.Message):
    __slots__ = ("name", "type", "declare", "use", "args", "children", "parameters", "repeat", "each")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DECLARE_FIELD_NUMBER: _ClassVar[int]
    USE_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    CHILDREN_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    WITH_FIELD_NUMBER: _ClassVar[int]
    EACH_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    declare: str
    use: str
    args: _struct_pb2.Struct
    children: _containers.RepeatedCompositeFieldContainer[Module]
    parameters: _containers.RepeatedCompositeFieldContainer[BareParameter]
    repeat: int
    each: _containers.RepeatedCompositeFieldContainer[_struct_pb2.Struct]
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., declare: _Optional[str] = ..., use: _Optional[str] = ..., args: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., children: _Optional[_Iterable[_Union[Module, _Mapping]]] = ..., parameters: _Optional[_Iterable[_Union[BareParameter, _Mapping]]] = ..., repeat: _Optional[int] = ..., each: _Optional[_Iterable[_Union[_struct_pb2.Struct, _Mapping]]] = ..., **kwargs) -> None: ...

class BareParameter(_message.Message):
    __slots__ = ("name", "shape")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, name: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ...) -> None: ...

class Tie(_message.Message):
    __slots__ = ("tensor", "to")
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    tensor: str
    to: str
    def __init__(self, tensor: _Optional[str] = ..., to: _Optional[str] = ...) -> None: ...

class TensorList(_message.Message):
    __slots__ = ("tensors",)
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    tensors: _containers.RepeatedCompositeFieldContainer[BareTensor]
    def __init__(self, tensors: _Optional[_Iterable[_Union[BareTensor, _Mapping]]] = ...) -> None: ...

class BareTensor(_message.Message):
    __slots__ = ("name", "shape", "role", "fans")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    FANS_FIELD_NUMBER: _ClassVar[int]
    name: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    role: str
    fans: FanAxes
    def __init__(self, name: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., role: _Optional[str] = ..., fans: _Optional[_Union[FanAxes, _Mapping]] = ...) -> None: ...

class FanAxes(_message.Message):
    __slots__ = ("fan_in", "fan_out", "batch")
    FAN_IN_FIELD_NUMBER: _ClassVar[int]
    FAN_OUT_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    fan_in: _containers.RepeatedScalarFieldContainer[int]
    fan_out: _containers.RepeatedScalarFieldContainer[int]
    batch: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, fan_in: _Optional[_Iterable[int]] = ..., fan_out: _Optional[_Iterable[int]] = ..., batch: _Optional[_Iterable[int]] = ...) -> None: ...

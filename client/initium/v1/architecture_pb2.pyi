from google.protobuf import struct_pb2 as _struct_pb2
from initium.v1 import fill_pb2 as _fill_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Architecture(_message.Message):
    __slots__ = ("library", "modules", "tensors", "captured")
    LIBRARY_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_FIELD_NUMBER: _ClassVar[int]
    library: LibraryModel
    modules: ModuleTree
    tensors: TensorList
    captured: CapturedModel
    def __init__(self, library: _Optional[_Union[LibraryModel, _Mapping]] = ..., modules: _Optional[_Union[ModuleTree, _Mapping]] = ..., tensors: _Optional[_Union[TensorList, _Mapping]] = ..., captured: _Optional[_Union[CapturedModel, _Mapping]] = ...) -> None: ...

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

class CapturedModel(_message.Message):
    __slots__ = ("tensors", "literals", "versions")
    class LiteralsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    class VersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    LITERALS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    tensors: _containers.RepeatedCompositeFieldContainer[CapturedTensor]
    literals: _containers.ScalarMap[str, bytes]
    versions: _containers.ScalarMap[str, str]
    def __init__(self, tensors: _Optional[_Iterable[_Union[CapturedTensor, _Mapping]]] = ..., literals: _Optional[_Mapping[str, bytes]] = ..., versions: _Optional[_Mapping[str, str]] = ...) -> None: ...

class CapturedTensor(_message.Message):
    __slots__ = ("owners", "shape", "dtype", "roles", "trainable", "fill", "fans")
    OWNERS_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    TRAINABLE_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    FANS_FIELD_NUMBER: _ClassVar[int]
    owners: _containers.RepeatedCompositeFieldContainer[CapturedOwner]
    shape: _containers.RepeatedScalarFieldContainer[int]
    dtype: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    trainable: bool
    fill: _fill_pb2.Fill
    fans: FanAxes
    def __init__(self, owners: _Optional[_Iterable[_Union[CapturedOwner, _Mapping]]] = ..., shape: _Optional[_Iterable[int]] = ..., dtype: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., trainable: _Optional[bool] = ..., fill: _Optional[_Union[_fill_pb2.Fill, _Mapping]] = ..., fans: _Optional[_Union[FanAxes, _Mapping]] = ...) -> None: ...

class CapturedOwner(_message.Message):
    __slots__ = ("name", "classes", "class_path", "block", "blocks", "groups", "padding_idx")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    CLASS_PATH_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    PADDING_IDX_FIELD_NUMBER: _ClassVar[int]
    name: str
    classes: _containers.RepeatedScalarFieldContainer[str]
    class_path: str
    block: int
    blocks: int
    groups: int
    padding_idx: int
    def __init__(self, name: _Optional[str] = ..., classes: _Optional[_Iterable[str]] = ..., class_path: _Optional[str] = ..., block: _Optional[int] = ..., blocks: _Optional[int] = ..., groups: _Optional[int] = ..., padding_idx: _Optional[int] = ...) -> None: ...

from google.protobuf import struct_pb2 as _struct_pb2
from initium.v1 import fill_pb2 as _fill_pb2
from initium.v1 import recipe_pb2 as _recipe_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TensorKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TENSOR_KIND_UNSPECIFIED: _ClassVar[TensorKind]
    TENSOR_KIND_PARAMETER: _ClassVar[TensorKind]
    TENSOR_KIND_BUFFER: _ClassVar[TensorKind]
TENSOR_KIND_UNSPECIFIED: TensorKind
TENSOR_KIND_PARAMETER: TensorKind
TENSOR_KIND_BUFFER: TensorKind

class Plan(_message.Message):
    __slots__ = ("plan_version", "generator", "seed", "tensors", "max_shard_bytes", "files", "literals", "groups", "versions", "recipe", "environment", "plan_digest", "weights_key", "loads")
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
    class EnvironmentEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PLAN_VERSION_FIELD_NUMBER: _ClassVar[int]
    GENERATOR_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    MAX_SHARD_BYTES_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    LITERALS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    PLAN_DIGEST_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_KEY_FIELD_NUMBER: _ClassVar[int]
    LOADS_FIELD_NUMBER: _ClassVar[int]
    plan_version: int
    generator: str
    seed: int
    tensors: _containers.RepeatedCompositeFieldContainer[PlannedTensor]
    max_shard_bytes: int
    files: _containers.RepeatedCompositeFieldContainer[PlannedFile]
    literals: _containers.ScalarMap[str, bytes]
    groups: PlannedGroups
    versions: _containers.ScalarMap[str, str]
    recipe: _recipe_pb2.Recipe
    environment: _containers.ScalarMap[str, str]
    plan_digest: str
    weights_key: str
    loads: _containers.RepeatedCompositeFieldContainer[StoredReport]
    def __init__(self, plan_version: _Optional[int] = ..., generator: _Optional[str] = ..., seed: _Optional[int] = ..., tensors: _Optional[_Iterable[_Union[PlannedTensor, _Mapping]]] = ..., max_shard_bytes: _Optional[int] = ..., files: _Optional[_Iterable[_Union[PlannedFile, _Mapping]]] = ..., literals: _Optional[_Mapping[str, bytes]] = ..., groups: _Optional[_Union[PlannedGroups, _Mapping]] = ..., versions: _Optional[_Mapping[str, str]] = ..., recipe: _Optional[_Union[_recipe_pb2.Recipe, _Mapping]] = ..., environment: _Optional[_Mapping[str, str]] = ..., plan_digest: _Optional[str] = ..., weights_key: _Optional[str] = ..., loads: _Optional[_Iterable[_Union[StoredReport, _Mapping]]] = ...) -> None: ...

class StoredReport(_message.Message):
    __slots__ = ("rule", "loaded", "missing", "mismatched", "fitted", "unused")
    RULE_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    LOADED_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    MISMATCHED_FIELD_NUMBER: _ClassVar[int]
    FITTED_FIELD_NUMBER: _ClassVar[int]
    UNUSED_FIELD_NUMBER: _ClassVar[int]
    rule: str
    loaded: int
    missing: NameList
    mismatched: NameList
    fitted: NameList
    unused: NameList
    def __init__(self, rule: _Optional[str] = ..., loaded: _Optional[int] = ..., missing: _Optional[_Union[NameList, _Mapping]] = ..., mismatched: _Optional[_Union[NameList, _Mapping]] = ..., fitted: _Optional[_Union[NameList, _Mapping]] = ..., unused: _Optional[_Union[NameList, _Mapping]] = ..., **kwargs) -> None: ...

class NameList(_message.Message):
    __slots__ = ("names", "total")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    total: int
    def __init__(self, names: _Optional[_Iterable[str]] = ..., total: _Optional[int] = ...) -> None: ...

class PlannedTensor(_message.Message):
    __slots__ = ("name", "shape", "dtype", "fill", "aliases", "rule", "initializer", "resolved", "kind", "trainable", "group", "module_class", "file", "offset", "size", "ordinal", "rule_name")
    class ResolvedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    INITIALIZER_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TRAINABLE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    MODULE_CLASS_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    RULE_NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    dtype: str
    fill: _fill_pb2.Fill
    aliases: _containers.RepeatedScalarFieldContainer[str]
    rule: str
    initializer: str
    resolved: _containers.ScalarMap[str, str]
    kind: TensorKind
    trainable: bool
    group: int
    module_class: str
    file: int
    offset: int
    size: int
    ordinal: int
    rule_name: str
    def __init__(self, name: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., dtype: _Optional[str] = ..., fill: _Optional[_Union[_fill_pb2.Fill, _Mapping]] = ..., aliases: _Optional[_Iterable[str]] = ..., rule: _Optional[str] = ..., initializer: _Optional[str] = ..., resolved: _Optional[_Mapping[str, str]] = ..., kind: _Optional[_Union[TensorKind, str]] = ..., trainable: _Optional[bool] = ..., group: _Optional[int] = ..., module_class: _Optional[str] = ..., file: _Optional[int] = ..., offset: _Optional[int] = ..., size: _Optional[int] = ..., ordinal: _Optional[int] = ..., rule_name: _Optional[str] = ...) -> None: ...

class PlannedFile(_message.Message):
    __slots__ = ("name", "size", "content")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    size: int
    content: bytes
    def __init__(self, name: _Optional[str] = ..., size: _Optional[int] = ..., content: _Optional[bytes] = ...) -> None: ...

class PlannedGroups(_message.Message):
    __slots__ = ("optimizer", "groups")
    OPTIMIZER_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    optimizer: str
    groups: _containers.RepeatedCompositeFieldContainer[Group]
    def __init__(self, optimizer: _Optional[str] = ..., groups: _Optional[_Iterable[_Union[Group, _Mapping]]] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("name", "options", "tensors", "elements")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    options: _struct_pb2.Struct
    tensors: _containers.RepeatedScalarFieldContainer[str]
    elements: int
    def __init__(self, name: _Optional[str] = ..., options: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., tensors: _Optional[_Iterable[str]] = ..., elements: _Optional[int] = ...) -> None: ...

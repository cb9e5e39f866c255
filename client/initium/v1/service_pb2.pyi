from initium.v1 import fill_pb2 as _fill_pb2
from initium.v1 import plan_pb2 as _plan_pb2
from initium.v1 import recipe_pb2 as _recipe_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PlanSource(_message.Message):
    __slots__ = ("recipe", "plan", "plan_digest", "recipe_text", "weights_key")
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PLAN_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RECIPE_TEXT_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_KEY_FIELD_NUMBER: _ClassVar[int]
    recipe: _recipe_pb2.Recipe
    plan: _plan_pb2.Plan
    plan_digest: bytes
    recipe_text: bytes
    weights_key: bytes
    def __init__(self, recipe: _Optional[_Union[_recipe_pb2.Recipe, _Mapping]] = ..., plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., plan_digest: _Optional[bytes] = ..., recipe_text: _Optional[bytes] = ..., weights_key: _Optional[bytes] = ...) -> None: ...

class ResolveRequest(_message.Message):
    __slots__ = ("source",)
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    source: PlanSource
    def __init__(self, source: _Optional[_Union[PlanSource, _Mapping]] = ...) -> None: ...

class ResolveResponse(_message.Message):
    __slots__ = ("plan", "total_bytes")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    total_bytes: int
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., total_bytes: _Optional[int] = ...) -> None: ...

class DownloadPlanRequest(_message.Message):
    __slots__ = ("source",)
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    source: PlanSource
    def __init__(self, source: _Optional[_Union[PlanSource, _Mapping]] = ...) -> None: ...

class DownloadPlanResponse(_message.Message):
    __slots__ = ("piece",)
    PIECE_FIELD_NUMBER: _ClassVar[int]
    piece: PlanPiece
    def __init__(self, piece: _Optional[_Union[PlanPiece, _Mapping]] = ...) -> None: ...

class UploadPlanRequest(_message.Message):
    __slots__ = ("piece",)
    PIECE_FIELD_NUMBER: _ClassVar[int]
    piece: PlanPiece
    def __init__(self, piece: _Optional[_Union[PlanPiece, _Mapping]] = ...) -> None: ...

class UploadPlanResponse(_message.Message):
    __slots__ = ("plan_digest", "weights_key", "total_bytes")
    PLAN_DIGEST_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_KEY_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    plan_digest: bytes
    weights_key: bytes
    total_bytes: int
    def __init__(self, plan_digest: _Optional[bytes] = ..., weights_key: _Optional[bytes] = ..., total_bytes: _Optional[int] = ...) -> None: ...

class PlanPiece(_message.Message):
    __slots__ = ("size", "offset", "data")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    size: int
    offset: int
    data: bytes
    def __init__(self, size: _Optional[int] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class ListTensorsRequest(_message.Message):
    __slots__ = ("recipe", "recipe_text", "page_size", "page_token")
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    RECIPE_TEXT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    recipe: _recipe_pb2.Recipe
    recipe_text: bytes
    page_size: int
    page_token: str
    def __init__(self, recipe: _Optional[_Union[_recipe_pb2.Recipe, _Mapping]] = ..., recipe_text: _Optional[bytes] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListTensorsResponse(_message.Message):
    __slots__ = ("tensors", "next_page_token")
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tensors: _containers.RepeatedCompositeFieldContainer[InventoryTensor]
    next_page_token: str
    def __init__(self, tensors: _Optional[_Iterable[_Union[InventoryTensor, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("recipe", "recipe_text", "tensor")
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    RECIPE_TEXT_FIELD_NUMBER: _ClassVar[int]
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    recipe: _recipe_pb2.Recipe
    recipe_text: bytes
    tensor: str
    def __init__(self, recipe: _Optional[_Union[_recipe_pb2.Recipe, _Mapping]] = ..., recipe_text: _Optional[bytes] = ..., tensor: _Optional[str] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("tensor", "trials", "derivation", "failure", "reaches")
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    TRIALS_FIELD_NUMBER: _ClassVar[int]
    DERIVATION_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    REACHES_FIELD_NUMBER: _ClassVar[int]
    tensor: _plan_pb2.PlannedTensor
    trials: _containers.RepeatedCompositeFieldContainer[RuleTrial]
    derivation: _containers.RepeatedScalarFieldContainer[str]
    failure: str
    reaches: _containers.RepeatedCompositeFieldContainer[RuleReach]
    def __init__(self, tensor: _Optional[_Union[_plan_pb2.PlannedTensor, _Mapping]] = ..., trials: _Optional[_Iterable[_Union[RuleTrial, _Mapping]]] = ..., derivation: _Optional[_Iterable[str]] = ..., failure: _Optional[str] = ..., reaches: _Optional[_Iterable[_Union[RuleReach, _Mapping]]] = ...) -> None: ...

class RuleTrial(_message.Message):
    __slots__ = ("path", "name", "initializer", "tensor", "matched", "failed", "text")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INITIALIZER_FIELD_NUMBER: _ClassVar[int]
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    initializer: str
    tensor: str
    matched: bool
    failed: str
    text: str
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., initializer: _Optional[str] = ..., tensor: _Optional[str] = ..., matched: _Optional[bool] = ..., failed: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class RuleReach(_message.Message):
    __slots__ = ("path", "matched", "decided", "shadowed_by")
    PATH_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    DECIDED_FIELD_NUMBER: _ClassVar[int]
    SHADOWED_BY_FIELD_NUMBER: _ClassVar[int]
    path: str
    matched: int
    decided: int
    shadowed_by: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, path: _Optional[str] = ..., matched: _Optional[int] = ..., decided: _Optional[int] = ..., shadowed_by: _Optional[_Iterable[str]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ("library", "contains", "page_size", "page_token")
    LIBRARY_FIELD_NUMBER: _ClassVar[int]
    CONTAINS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    library: str
    contains: str
    page_size: int
    page_token: str
    def __init__(self, library: _Optional[str] = ..., contains: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("names", "next_page_token", "model_types")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MODEL_TYPES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    next_page_token: str
    model_types: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ..., next_page_token: _Optional[str] = ..., model_types: _Optional[_Iterable[str]] = ...) -> None: ...

class InventoryTensor(_message.Message):
    __slots__ = ("name", "shape", "dtype", "kind", "module_path", "classes", "class_path", "aliases", "roles", "block", "default_fill", "default_error")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MODULE_PATH_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    CLASS_PATH_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FILL_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_ERROR_FIELD_NUMBER: _ClassVar[int]
    name: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    dtype: str
    kind: _plan_pb2.TensorKind
    module_path: str
    classes: _containers.RepeatedScalarFieldContainer[str]
    class_path: str
    aliases: _containers.RepeatedScalarFieldContainer[str]
    roles: _containers.RepeatedScalarFieldContainer[str]
    block: int
    default_fill: _fill_pb2.Fill
    default_error: str
    def __init__(self, name: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., dtype: _Optional[str] = ..., kind: _Optional[_Union[_plan_pb2.TensorKind, str]] = ..., module_path: _Optional[str] = ..., classes: _Optional[_Iterable[str]] = ..., class_path: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ..., roles: _Optional[_Iterable[str]] = ..., block: _Optional[int] = ..., default_fill: _Optional[_Union[_fill_pb2.Fill, _Mapping]] = ..., default_error: _Optional[str] = ...) -> None: ...

class GenerateRequest(_message.Message):
    __slots__ = ("source", "start", "tensor_digests", "without_plan")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    TENSOR_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_PLAN_FIELD_NUMBER: _ClassVar[int]
    source: PlanSource
    start: Position
    tensor_digests: bool
    without_plan: bool
    def __init__(self, source: _Optional[_Union[PlanSource, _Mapping]] = ..., start: _Optional[_Union[Position, _Mapping]] = ..., tensor_digests: _Optional[bool] = ..., without_plan: _Optional[bool] = ...) -> None: ...

class Position(_message.Message):
    __slots__ = ("file", "offset")
    FILE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    file: int
    offset: int
    def __init__(self, file: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("header", "chunk", "trailer", "tensors")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    header: GenerateHeader
    chunk: Chunk
    trailer: GenerateTrailer
    tensors: StreamedTensors
    def __init__(self, header: _Optional[_Union[GenerateHeader, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ..., trailer: _Optional[_Union[GenerateTrailer, _Mapping]] = ..., tensors: _Optional[_Union[StreamedTensors, _Mapping]] = ...) -> None: ...

class GenerateHeader(_message.Message):
    __slots__ = ("plan", "total_bytes", "server_version", "plan_digest", "leaf_bytes", "digest_function")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    PLAN_DIGEST_FIELD_NUMBER: _ClassVar[int]
    LEAF_BYTES_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FUNCTION_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    total_bytes: int
    server_version: str
    plan_digest: bytes
    leaf_bytes: int
    digest_function: str
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., total_bytes: _Optional[int] = ..., server_version: _Optional[str] = ..., plan_digest: _Optional[bytes] = ..., leaf_bytes: _Optional[int] = ..., digest_function: _Optional[str] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("file", "offset", "digest", "data")
    FILE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    file: int
    offset: int
    digest: bytes
    data: bytes
    def __init__(self, file: _Optional[int] = ..., offset: _Optional[int] = ..., digest: _Optional[bytes] = ..., data: _Optional[bytes] = ...) -> None: ...

class GenerateTrailer(_message.Message):
    __slots__ = ("files",)
    FILES_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[StreamedFile]
    def __init__(self, files: _Optional[_Iterable[_Union[StreamedFile, _Mapping]]] = ...) -> None: ...

class StreamedTensors(_message.Message):
    __slots__ = ("tensors",)
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    tensors: _containers.RepeatedCompositeFieldContainer[StreamedTensor]
    def __init__(self, tensors: _Optional[_Iterable[_Union[StreamedTensor, _Mapping]]] = ...) -> None: ...

class StreamedFile(_message.Message):
    __slots__ = ("file", "digest")
    FILE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    file: int
    digest: bytes
    def __init__(self, file: _Optional[int] = ..., digest: _Optional[bytes] = ...) -> None: ...

class StreamedTensor(_message.Message):
    __slots__ = ("tensor", "digest")
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    tensor: int
    digest: bytes
    def __init__(self, tensor: _Optional[int] = ..., digest: _Optional[bytes] = ...) -> None: ...

class ReadRequest(_message.Message):
    __slots__ = ("source", "file_name", "offset", "length")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    source: PlanSource
    file_name: str
    offset: int
    length: int
    def __init__(self, source: _Optional[_Union[PlanSource, _Mapping]] = ..., file_name: _Optional[str] = ..., offset: _Optional[int] = ..., length: _Optional[int] = ...) -> None: ...

class ReadResponse(_message.Message):
    __slots__ = ("offset", "digest", "data")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    offset: int
    digest: bytes
    data: bytes
    def __init__(self, offset: _Optional[int] = ..., digest: _Optional[bytes] = ..., data: _Optional[bytes] = ...) -> None: ...

class GetCapabilitiesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCapabilitiesResponse(_message.Message):
    __slots__ = ("server_version", "generators", "dtypes", "initializers", "libraries", "module_types", "device", "backend", "threads", "limits", "plan_version", "optimizers", "oldest_plan_version", "torch_environment", "fill_kinds", "selector_keys", "roles", "features", "stores", "presets")
    class LibrariesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class TorchEnvironmentEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    GENERATORS_FIELD_NUMBER: _ClassVar[int]
    DTYPES_FIELD_NUMBER: _ClassVar[int]
    INITIALIZERS_FIELD_NUMBER: _ClassVar[int]
    LIBRARIES_FIELD_NUMBER: _ClassVar[int]
    MODULE_TYPES_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    PLAN_VERSION_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZERS_FIELD_NUMBER: _ClassVar[int]
    OLDEST_PLAN_VERSION_FIELD_NUMBER: _ClassVar[int]
    TORCH_ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    FILL_KINDS_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_KEYS_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    STORES_FIELD_NUMBER: _ClassVar[int]
    PRESETS_FIELD_NUMBER: _ClassVar[int]
    server_version: str
    generators: _containers.RepeatedScalarFieldContainer[str]
    dtypes: _containers.RepeatedScalarFieldContainer[str]
    initializers: _containers.RepeatedScalarFieldContainer[str]
    libraries: _containers.ScalarMap[str, str]
    module_types: _containers.RepeatedScalarFieldContainer[str]
    device: str
    backend: str
    threads: int
    limits: Limits
    plan_version: int
    optimizers: _containers.RepeatedScalarFieldContainer[str]
    oldest_plan_version: int
    torch_environment: _containers.ScalarMap[str, str]
    fill_kinds: _containers.RepeatedScalarFieldContainer[str]
    selector_keys: _containers.RepeatedScalarFieldContainer[str]
    roles: _containers.RepeatedScalarFieldContainer[str]
    features: _containers.RepeatedScalarFieldContainer[str]
    stores: _containers.RepeatedScalarFieldContainer[str]
    presets: _containers.RepeatedCompositeFieldContainer[Preset]
    def __init__(self, server_version: _Optional[str] = ..., generators: _Optional[_Iterable[str]] = ..., dtypes: _Optional[_Iterable[str]] = ..., initializers: _Optional[_Iterable[str]] = ..., libraries: _Optional[_Mapping[str, str]] = ..., module_types: _Optional[_Iterable[str]] = ..., device: _Optional[str] = ..., backend: _Optional[str] = ..., threads: _Optional[int] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., plan_version: _Optional[int] = ..., optimizers: _Optional[_Iterable[str]] = ..., oldest_plan_version: _Optional[int] = ..., torch_environment: _Optional[_Mapping[str, str]] = ..., fill_kinds: _Optional[_Iterable[str]] = ..., selector_keys: _Optional[_Iterable[str]] = ..., roles: _Optional[_Iterable[str]] = ..., features: _Optional[_Iterable[str]] = ..., stores: _Optional[_Iterable[str]] = ..., presets: _Optional[_Iterable[_Union[Preset, _Mapping]]] = ...) -> None: ...

class Preset(_message.Message):
    __slots__ = ("name", "summary", "text")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    name: str
    summary: str
    text: str
    def __init__(self, name: _Optional[str] = ..., summary: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("message_bytes", "leaf_bytes", "elements", "literal_bytes", "build_seconds", "build_bytes", "module_depth", "tensors", "whole_elements", "plan_bytes", "streams", "builds", "held_bytes", "modules", "axes", "parts", "fill_depth", "selector_depth", "page_size", "torch_seconds", "torch_bytes")
    MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    LEAF_BYTES_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    LITERAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    BUILD_SECONDS_FIELD_NUMBER: _ClassVar[int]
    BUILD_BYTES_FIELD_NUMBER: _ClassVar[int]
    MODULE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    WHOLE_ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    PLAN_BYTES_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    BUILDS_FIELD_NUMBER: _ClassVar[int]
    HELD_BYTES_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    FILL_DEPTH_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_DEPTH_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    TORCH_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TORCH_BYTES_FIELD_NUMBER: _ClassVar[int]
    message_bytes: int
    leaf_bytes: int
    elements: int
    literal_bytes: int
    build_seconds: int
    build_bytes: int
    module_depth: int
    tensors: int
    whole_elements: int
    plan_bytes: int
    streams: int
    builds: int
    held_bytes: int
    modules: int
    axes: int
    parts: int
    fill_depth: int
    selector_depth: int
    page_size: int
    torch_seconds: int
    torch_bytes: int
    def __init__(self, message_bytes: _Optional[int] = ..., leaf_bytes: _Optional[int] = ..., elements: _Optional[int] = ..., literal_bytes: _Optional[int] = ..., build_seconds: _Optional[int] = ..., build_bytes: _Optional[int] = ..., module_depth: _Optional[int] = ..., tensors: _Optional[int] = ..., whole_elements: _Optional[int] = ..., plan_bytes: _Optional[int] = ..., streams: _Optional[int] = ..., builds: _Optional[int] = ..., held_bytes: _Optional[int] = ..., modules: _Optional[int] = ..., axes: _Optional[int] = ..., parts: _Optional[int] = ..., fill_depth: _Optional[int] = ..., selector_depth: _Optional[int] = ..., page_size: _Optional[int] = ..., torch_seconds: _Optional[int] = ..., torch_bytes: _Optional[int] = ...) -> None: ...

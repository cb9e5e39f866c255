from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InitPolicy(_message.Message):
    __slots__ = ("rules",)
    RULES_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[InitRule]
    def __init__(self, rules: _Optional[_Iterable[_Union[InitRule, _Mapping]]] = ...) -> None: ...

class InitRule(_message.Message):
    __slots__ = ("name", "match", "dtype", "optional", "ties", "uniform", "normal", "trunc_normal", "constant", "ones", "zeros", "eye", "dirac", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "library_default", "orthogonal", "delta_orthogonal", "sparse", "corrected_trunc_normal", "stored")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MATCH_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    TIES_FIELD_NUMBER: _ClassVar[int]
    UNIFORM_FIELD_NUMBER: _ClassVar[int]
    NORMAL_FIELD_NUMBER: _ClassVar[int]
    TRUNC_NORMAL_FIELD_NUMBER: _ClassVar[int]
    CONSTANT_FIELD_NUMBER: _ClassVar[int]
    ONES_FIELD_NUMBER: _ClassVar[int]
    ZEROS_FIELD_NUMBER: _ClassVar[int]
    EYE_FIELD_NUMBER: _ClassVar[int]
    DIRAC_FIELD_NUMBER: _ClassVar[int]
    XAVIER_UNIFORM_FIELD_NUMBER: _ClassVar[int]
    XAVIER_NORMAL_FIELD_NUMBER: _ClassVar[int]
    KAIMING_UNIFORM_FIELD_NUMBER: _ClassVar[int]
    KAIMING_NORMAL_FIELD_NUMBER: _ClassVar[int]
    LIBRARY_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    ORTHOGONAL_FIELD_NUMBER: _ClassVar[int]
    DELTA_ORTHOGONAL_FIELD_NUMBER: _ClassVar[int]
    SPARSE_FIELD_NUMBER: _ClassVar[int]
    CORRECTED_TRUNC_NORMAL_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    name: str
    match: Selector
    dtype: str
    optional: bool
    ties: str
    uniform: Uniform
    normal: Normal
    trunc_normal: TruncNormal
    constant: ConstantValue
    ones: Ones
    zeros: Zeros
    eye: Eye
    dirac: Dirac
    xavier_uniform: XavierUniform
    xavier_normal: XavierNormal
    kaiming_uniform: KaimingUniform
    kaiming_normal: KaimingNormal
    library_default: LibraryDefault
    orthogonal: Orthogonal
    delta_orthogonal: DeltaOrthogonal
    sparse: Sparse
    corrected_trunc_normal: CorrectedTruncNormal
    stored: Stored
    def __init__(self, name: _Optional[str] = ..., match: _Optional[_Union[Selector, _Mapping]] = ..., dtype: _Optional[str] = ..., optional: _Optional[bool] = ..., ties: _Optional[str] = ..., uniform: _Optional[_Union[Uniform, _Mapping]] = ..., normal: _Optional[_Union[Normal, _Mapping]] = ..., trunc_normal: _Optional[_Union[TruncNormal, _Mapping]] = ..., constant: _Optional[_Union[ConstantValue, _Mapping]] = ..., ones: _Optional[_Union[Ones, _Mapping]] = ..., zeros: _Optional[_Union[Zeros, _Mapping]] = ..., eye: _Optional[_Union[Eye, _Mapping]] = ..., dirac: _Optional[_Union[Dirac, _Mapping]] = ..., xavier_uniform: _Optional[_Union[XavierUniform, _Mapping]] = ..., xavier_normal: _Optional[_Union[XavierNormal, _Mapping]] = ..., kaiming_uniform: _Optional[_Union[KaimingUniform, _Mapping]] = ..., kaiming_normal: _Optional[_Union[KaimingNormal, _Mapping]] = ..., library_default: _Optional[_Union[LibraryDefault, _Mapping]] = ..., orthogonal: _Optional[_Union[Orthogonal, _Mapping]] = ..., delta_orthogonal: _Optional[_Union[DeltaOrthogonal, _Mapping]] = ..., sparse: _Optional[_Union[Sparse, _Mapping]] = ..., corrected_trunc_normal: _Optional[_Union[CorrectedTruncNormal, _Mapping]] = ..., stored: _Optional[_Union[Stored, _Mapping]] = ...) -> None: ...

class Uniform(_message.Message):
    __slots__ = ("a", "b")
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    a: float
    b: float
    def __init__(self, a: _Optional[float] = ..., b: _Optional[float] = ...) -> None: ...

class Normal(_message.Message):
    __slots__ = ("mean", "std")
    MEAN_FIELD_NUMBER: _ClassVar[int]
    STD_FIELD_NUMBER: _ClassVar[int]
    mean: float
    std: float
    def __init__(self, mean: _Optional[float] = ..., std: _Optional[float] = ...) -> None: ...

class TruncNormal(_message.Message):
    __slots__ = ("mean", "std", "a", "b")
    MEAN_FIELD_NUMBER: _ClassVar[int]
    STD_FIELD_NUMBER: _ClassVar[int]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    mean: float
    std: float
    a: float
    b: float
    def __init__(self, mean: _Optional[float] = ..., std: _Optional[float] = ..., a: _Optional[float] = ..., b: _Optional[float] = ...) -> None: ...

class ConstantValue(_message.Message):
    __slots__ = ("val",)
    VAL_FIELD_NUMBER: _ClassVar[int]
    val: float
    def __init__(self, val: _Optional[float] = ...) -> None: ...

class Ones(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Zeros(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Eye(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Dirac(_message.Message):
    __slots__ = ("groups",)
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    groups: int
    def __init__(self, groups: _Optional[int] = ...) -> None: ...

class XavierUniform(_message.Message):
    __slots__ = ("gain",)
    GAIN_FIELD_NUMBER: _ClassVar[int]
    gain: float
    def __init__(self, gain: _Optional[float] = ...) -> None: ...

class XavierNormal(_message.Message):
    __slots__ = ("gain",)
    GAIN_FIELD_NUMBER: _ClassVar[int]
    gain: float
    def __init__(self, gain: _Optional[float] = ...) -> None: ...

class KaimingUniform(_message.Message):
    __slots__ = ("a", "mode", "nonlinearity")
    A_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    NONLINEARITY_FIELD_NUMBER: _ClassVar[int]
    a: float
    mode: str
    nonlinearity: str
    def __init__(self, a: _Optional[float] = ..., mode: _Optional[str] = ..., nonlinearity: _Optional[str] = ...) -> None: ...

class KaimingNormal(_message.Message):
    __slots__ = ("a", "mode", "nonlinearity")
    A_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    NONLINEARITY_FIELD_NUMBER: _ClassVar[int]
    a: float
    mode: str
    nonlinearity: str
    def __init__(self, a: _Optional[float] = ..., mode: _Optional[str] = ..., nonlinearity: _Optional[str] = ...) -> None: ...

class Orthogonal(_message.Message):
    __slots__ = ("gain",)
    GAIN_FIELD_NUMBER: _ClassVar[int]
    gain: float
    def __init__(self, gain: _Optional[float] = ...) -> None: ...

class DeltaOrthogonal(_message.Message):
    __slots__ = ("gain",)
    GAIN_FIELD_NUMBER: _ClassVar[int]
    gain: float
    def __init__(self, gain: _Optional[float] = ...) -> None: ...

class Sparse(_message.Message):
    __slots__ = ("sparsity", "std")
    SPARSITY_FIELD_NUMBER: _ClassVar[int]
    STD_FIELD_NUMBER: _ClassVar[int]
    sparsity: float
    std: float
    def __init__(self, sparsity: _Optional[float] = ..., std: _Optional[float] = ...) -> None: ...

class CorrectedTruncNormal(_message.Message):
    __slots__ = ("mean", "std", "cut")
    MEAN_FIELD_NUMBER: _ClassVar[int]
    STD_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    mean: float
    std: float
    cut: float
    def __init__(self, mean: _Optional[float] = ..., std: _Optional[float] = ..., cut: _Optional[float] = ...) -> None: ...

class Stored(_message.Message):
    __slots__ = ("rename", "missing", "mismatch", "transpose", "repeat", "scale")
    FROM_FIELD_NUMBER: _ClassVar[int]
    RENAME_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    MISMATCH_FIELD_NUMBER: _ClassVar[int]
    TRANSPOSE_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    rename: _containers.RepeatedCompositeFieldContainer[Rename]
    missing: str
    mismatch: str
    transpose: bool
    repeat: bool
    scale: float
    def __init__(self, rename: _Optional[_Iterable[_Union[Rename, _Mapping]]] = ..., missing: _Optional[str] = ..., mismatch: _Optional[str] = ..., transpose: _Optional[bool] = ..., repeat: _Optional[bool] = ..., scale: _Optional[float] = ..., **kwargs) -> None: ...

class Rename(_message.Message):
    __slots__ = ("pattern", "to")
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    pattern: str
    to: str
    def __init__(self, pattern: _Optional[str] = ..., to: _Optional[str] = ...) -> None: ...

class LibraryDefault(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Selector(_message.Message):
    __slots__ = ("module", "class_contains", "class_path", "module_path", "path", "regex", "tensor", "ndim", "shape", "block", "role", "tied", "any_of", "all_of", "none_of", "every")
    MODULE_FIELD_NUMBER: _ClassVar[int]
    CLASS_CONTAINS_FIELD_NUMBER: _ClassVar[int]
    CLASS_PATH_FIELD_NUMBER: _ClassVar[int]
    MODULE_PATH_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    REGEX_FIELD_NUMBER: _ClassVar[int]
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    NDIM_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TIED_FIELD_NUMBER: _ClassVar[int]
    ANY_OF_FIELD_NUMBER: _ClassVar[int]
    ALL_OF_FIELD_NUMBER: _ClassVar[int]
    NONE_OF_FIELD_NUMBER: _ClassVar[int]
    EVERY_FIELD_NUMBER: _ClassVar[int]
    module: _containers.RepeatedScalarFieldContainer[str]
    class_contains: _containers.RepeatedScalarFieldContainer[str]
    class_path: _containers.RepeatedScalarFieldContainer[str]
    module_path: _containers.RepeatedScalarFieldContainer[str]
    path: _containers.RepeatedScalarFieldContainer[str]
    regex: _containers.RepeatedScalarFieldContainer[str]
    tensor: _containers.RepeatedScalarFieldContainer[str]
    ndim: _containers.RepeatedScalarFieldContainer[int]
    shape: _containers.RepeatedCompositeFieldContainer[ShapePattern]
    block: _containers.RepeatedScalarFieldContainer[int]
    role: _containers.RepeatedScalarFieldContainer[str]
    tied: bool
    any_of: _containers.RepeatedCompositeFieldContainer[Selector]
    all_of: _containers.RepeatedCompositeFieldContainer[Selector]
    none_of: _containers.RepeatedCompositeFieldContainer[Selector]
    every: bool
    def __init__(self, module: _Optional[_Iterable[str]] = ..., class_contains: _Optional[_Iterable[str]] = ..., class_path: _Optional[_Iterable[str]] = ..., module_path: _Optional[_Iterable[str]] = ..., path: _Optional[_Iterable[str]] = ..., regex: _Optional[_Iterable[str]] = ..., tensor: _Optional[_Iterable[str]] = ..., ndim: _Optional[_Iterable[int]] = ..., shape: _Optional[_Iterable[_Union[ShapePattern, _Mapping]]] = ..., block: _Optional[_Iterable[int]] = ..., role: _Optional[_Iterable[str]] = ..., tied: _Optional[bool] = ..., any_of: _Optional[_Iterable[_Union[Selector, _Mapping]]] = ..., all_of: _Optional[_Iterable[_Union[Selector, _Mapping]]] = ..., none_of: _Optional[_Iterable[_Union[Selector, _Mapping]]] = ..., every: _Optional[bool] = ...) -> None: ...

class ShapePattern(_message.Message):
    __slots__ = ("extents",)
    EXTENTS_FIELD_NUMBER: _ClassVar[int]
    extents: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, extents: _Optional[_Iterable[int]] = ...) -> None: ...

from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Fill(_message.Message):
    __slots__ = ("constant", "uniform", "normal", "trunc_normal", "literal", "eye", "dirac", "parts", "copy", "arange", "linspace", "pointwise", "orthogonal", "sparse", "permutation", "norm_of", "broadcast", "stored")
    CONSTANT_FIELD_NUMBER: _ClassVar[int]
    UNIFORM_FIELD_NUMBER: _ClassVar[int]
    NORMAL_FIELD_NUMBER: _ClassVar[int]
    TRUNC_NORMAL_FIELD_NUMBER: _ClassVar[int]
    LITERAL_FIELD_NUMBER: _ClassVar[int]
    EYE_FIELD_NUMBER: _ClassVar[int]
    DIRAC_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    COPY_FIELD_NUMBER: _ClassVar[int]
    ARANGE_FIELD_NUMBER: _ClassVar[int]
    LINSPACE_FIELD_NUMBER: _ClassVar[int]
    POINTWISE_FIELD_NUMBER: _ClassVar[int]
    ORTHOGONAL_FIELD_NUMBER: _ClassVar[int]
    SPARSE_FIELD_NUMBER: _ClassVar[int]
    PERMUTATION_FIELD_NUMBER: _ClassVar[int]
    NORM_OF_FIELD_NUMBER: _ClassVar[int]
    BROADCAST_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    constant: ConstantFill
    uniform: UniformFill
    normal: NormalFill
    trunc_normal: TruncNormalFill
    literal: LiteralFill
    eye: EyeFill
    dirac: DiracFill
    parts: PartsFill
    copy: CopyFill
    arange: ArangeFill
    linspace: LinspaceFill
    pointwise: PointwiseFill
    orthogonal: OrthogonalFill
    sparse: SparseFill
    permutation: PermutationFill
    norm_of: NormOfFill
    broadcast: BroadcastFill
    stored: StoredFill
    def __init__(self, constant: _Optional[_Union[ConstantFill, _Mapping]] = ..., uniform: _Optional[_Union[UniformFill, _Mapping]] = ..., normal: _Optional[_Union[NormalFill, _Mapping]] = ..., trunc_normal: _Optional[_Union[TruncNormalFill, _Mapping]] = ..., literal: _Optional[_Union[LiteralFill, _Mapping]] = ..., eye: _Optional[_Union[EyeFill, _Mapping]] = ..., dirac: _Optional[_Union[DiracFill, _Mapping]] = ..., parts: _Optional[_Union[PartsFill, _Mapping]] = ..., copy: _Optional[_Union[CopyFill, _Mapping]] = ..., arange: _Optional[_Union[ArangeFill, _Mapping]] = ..., linspace: _Optional[_Union[LinspaceFill, _Mapping]] = ..., pointwise: _Optional[_Union[PointwiseFill, _Mapping]] = ..., orthogonal: _Optional[_Union[OrthogonalFill, _Mapping]] = ..., sparse: _Optional[_Union[SparseFill, _Mapping]] = ..., permutation: _Optional[_Union[PermutationFill, _Mapping]] = ..., norm_of: _Optional[_Union[NormOfFill, _Mapping]] = ..., broadcast: _Optional[_Union[BroadcastFill, _Mapping]] = ..., stored: _Optional[_Union[StoredFill, _Mapping]] = ...) -> None: ...

class ConstantFill(_message.Message):
    __slots__ = ("value",)
    VALUE_FIELD_NUMBER: _ClassVar[int]
    value: str
    def __init__(self, value: _Optional[str] = ...) -> None: ...

class UniformFill(_message.Message):
    __slots__ = ("low", "high")
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    low: str
    high: str
    def __init__(self, low: _Optional[str] = ..., high: _Optional[str] = ...) -> None: ...

class NormalFill(_message.Message):
    __slots__ = ("mean", "std")
    MEAN_FIELD_NUMBER: _ClassVar[int]
    STD_FIELD_NUMBER: _ClassVar[int]
    mean: str
    std: str
    def __init__(self, mean: _Optional[str] = ..., std: _Optional[str] = ...) -> None: ...

class TruncNormalFill(_message.Message):
    __slots__ = ("mean", "std", "a", "b")
    MEAN_FIELD_NUMBER: _ClassVar[int]
    STD_FIELD_NUMBER: _ClassVar[int]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    mean: str
    std: str
    a: str
    b: str
    def __init__(self, mean: _Optional[str] = ..., std: _Optional[str] = ..., a: _Optional[str] = ..., b: _Optional[str] = ...) -> None: ...

class LiteralFill(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: str
    def __init__(self, digest: _Optional[str] = ...) -> None: ...

class EyeFill(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DiracFill(_message.Message):
    __slots__ = ("groups",)
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    groups: int
    def __init__(self, groups: _Optional[int] = ...) -> None: ...

class CopyFill(_message.Message):
    __slots__ = ("name", "fill")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    name: str
    fill: Fill
    def __init__(self, name: _Optional[str] = ..., fill: _Optional[_Union[Fill, _Mapping]] = ...) -> None: ...

class ArangeFill(_message.Message):
    __slots__ = ("start", "step", "axis")
    START_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    start: str
    step: str
    axis: int
    def __init__(self, start: _Optional[str] = ..., step: _Optional[str] = ..., axis: _Optional[int] = ...) -> None: ...

class LinspaceFill(_message.Message):
    __slots__ = ("start", "end", "axis")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    start: str
    end: str
    axis: int
    def __init__(self, start: _Optional[str] = ..., end: _Optional[str] = ..., axis: _Optional[int] = ...) -> None: ...

class PointwiseFill(_message.Message):
    __slots__ = ("op", "operands")
    OP_FIELD_NUMBER: _ClassVar[int]
    OPERANDS_FIELD_NUMBER: _ClassVar[int]
    op: str
    operands: _containers.RepeatedCompositeFieldContainer[Fill]
    def __init__(self, op: _Optional[str] = ..., operands: _Optional[_Iterable[_Union[Fill, _Mapping]]] = ...) -> None: ...

class OrthogonalFill(_message.Message):
    __slots__ = ("gain",)
    GAIN_FIELD_NUMBER: _ClassVar[int]
    gain: str
    def __init__(self, gain: _Optional[str] = ...) -> None: ...

class SparseFill(_message.Message):
    __slots__ = ("sparsity", "std")
    SPARSITY_FIELD_NUMBER: _ClassVar[int]
    STD_FIELD_NUMBER: _ClassVar[int]
    sparsity: str
    std: str
    def __init__(self, sparsity: _Optional[str] = ..., std: _Optional[str] = ...) -> None: ...

class PermutationFill(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NormOfFill(_message.Message):
    __slots__ = ("name", "shape", "fill", "axis")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    name: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    fill: Fill
    axis: int
    def __init__(self, name: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., fill: _Optional[_Union[Fill, _Mapping]] = ..., axis: _Optional[int] = ...) -> None: ...

class BroadcastFill(_message.Message):
    __slots__ = ("axes", "fill")
    AXES_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    fill: Fill
    def __init__(self, axes: _Optional[_Iterable[int]] = ..., fill: _Optional[_Union[Fill, _Mapping]] = ...) -> None: ...

class StoredFill(_message.Message):
    __slots__ = ("store", "file", "tensor", "digest", "dtype", "shape", "axes", "start")
    STORE_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    store: str
    file: str
    tensor: str
    digest: str
    dtype: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    start: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, store: _Optional[str] = ..., file: _Optional[str] = ..., tensor: _Optional[str] = ..., digest: _Optional[str] = ..., dtype: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., axes: _Optional[_Iterable[int]] = ..., start: _Optional[_Iterable[int]] = ...) -> None: ...

class PartsFill(_message.Message):
    __slots__ = ("base", "parts")
    BASE_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    base: Fill
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    def __init__(self, base: _Optional[_Union[Fill, _Mapping]] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("start", "stop", "fill")
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    start: _containers.RepeatedScalarFieldContainer[int]
    stop: _containers.RepeatedScalarFieldContainer[int]
    fill: Fill
    def __init__(self, start: _Optional[_Iterable[int]] = ..., stop: _Optional[_Iterable[int]] = ..., fill: _Optional[_Union[Fill, _Mapping]] = ...) -> None: ...

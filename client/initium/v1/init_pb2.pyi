from initium.v1 import architecture_pb2 as _architecture_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InitPolicy(_message.Message):
    __slots__ = ("rules", "preset", "base")
    RULES_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[InitRule]
    preset: str
    base: BaseShapes
    def __init__(self, rules: _Optional[_Iterable[_Union[InitRule, _Mapping]]] = ..., preset: _Optional[str] = ..., base: _Optional[_Union[BaseShapes, _Mapping]] = ...) -> None: ...

class BaseShapes(_message.Message):
    __slots__ = ("architecture", "shapes")
    class ShapesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: BaseShape
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[BaseShape, _Mapping]] = ...) -> None: ...
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    SHAPES_FIELD_NUMBER: _ClassVar[int]
    architecture: _architecture_pb2.Architecture
    shapes: _containers.MessageMap[str, BaseShape]
    def __init__(self, architecture: _Optional[_Union[_architecture_pb2.Architecture, _Mapping]] = ..., shapes: _Optional[_Mapping[str, BaseShape]] = ...) -> None: ...

class BaseShape(_message.Message):
    __slots__ = ("extents",)
    EXTENTS_FIELD_NUMBER: _ClassVar[int]
    extents: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, extents: _Optional[_Iterable[int]] = ...) -> None: ...

class InitRule(_message.Message):
    __slots__ = ("name", "match", "dtype", "optional", "ties", "computed", "uniform", "normal", "trunc_normal", "constant", "ones", "zeros", "eye", "dirac", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "library_default", "orthogonal", "delta_orthogonal", "sparse", "corrected_trunc_normal", "variance_scaling", "lecun_uniform", "lecun_normal", "trunc_normal_tf", "arange", "linspace", "log_arange", "values", "permutation", "split", "pieces", "pointwise", "broadcast", "norm_of", "copy", "block_orthogonal", "prior_probability", "gate_bias", "siren", "padded", "spectral", "mup", "stored")
    class ComputedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    MATCH_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    TIES_FIELD_NUMBER: _ClassVar[int]
    COMPUTED_FIELD_NUMBER: _ClassVar[int]
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
    VARIANCE_SCALING_FIELD_NUMBER: _ClassVar[int]
    LECUN_UNIFORM_FIELD_NUMBER: _ClassVar[int]
    LECUN_NORMAL_FIELD_NUMBER: _ClassVar[int]
    TRUNC_NORMAL_TF_FIELD_NUMBER: _ClassVar[int]
    ARANGE_FIELD_NUMBER: _ClassVar[int]
    LINSPACE_FIELD_NUMBER: _ClassVar[int]
    LOG_ARANGE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    PERMUTATION_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    PIECES_FIELD_NUMBER: _ClassVar[int]
    POINTWISE_FIELD_NUMBER: _ClassVar[int]
    BROADCAST_FIELD_NUMBER: _ClassVar[int]
    NORM_OF_FIELD_NUMBER: _ClassVar[int]
    COPY_FIELD_NUMBER: _ClassVar[int]
    BLOCK_ORTHOGONAL_FIELD_NUMBER: _ClassVar[int]
    PRIOR_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    GATE_BIAS_FIELD_NUMBER: _ClassVar[int]
    SIREN_FIELD_NUMBER: _ClassVar[int]
    PADDED_FIELD_NUMBER: _ClassVar[int]
    SPECTRAL_FIELD_NUMBER: _ClassVar[int]
    MUP_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    name: str
    match: Selector
    dtype: str
    optional: bool
    ties: str
    computed: _containers.ScalarMap[str, str]
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
    variance_scaling: VarianceScaling
    lecun_uniform: LecunUniform
    lecun_normal: LecunNormal
    trunc_normal_tf: TruncNormalTf
    arange: ArangeValues
    linspace: LinspaceValues
    log_arange: LogArange
    values: Values
    permutation: RandomPermutation
    split: Split
    pieces: Pieces
    pointwise: PointwiseOf
    broadcast: BroadcastOf
    norm_of: NormOfTensor
    copy: CopyOfTensor
    block_orthogonal: BlockOrthogonal
    prior_probability: PriorProbability
    gate_bias: GateBias
    siren: Siren
    padded: Padded
    spectral: Spectral
    mup: Mup
    stored: Stored
    def __init__(self, name: _Optional[str] = ..., match: _Optional[_Union[Selector, _Mapping]] = ..., dtype: _Optional[str] = ..., optional: _Optional[bool] = ..., ties: _Optional[str] = ..., computed: _Optional[_Mapping[str, str]] = ..., uniform: _Optional[_Union[Uniform, _Mapping]] = ..., normal: _Optional[_Union[Normal, _Mapping]] = ..., trunc_normal: _Optional[_Union[TruncNormal, _Mapping]] = ..., constant: _Optional[_Union[ConstantValue, _Mapping]] = ..., ones: _Optional[_Union[Ones, _Mapping]] = ..., zeros: _Optional[_Union[Zeros, _Mapping]] = ..., eye: _Optional[_Union[Eye, _Mapping]] = ..., dirac: _Optional[_Union[Dirac, _Mapping]] = ..., xavier_uniform: _Optional[_Union[XavierUniform, _Mapping]] = ..., xavier_normal: _Optional[_Union[XavierNormal, _Mapping]] = ..., kaiming_uniform: _Optional[_Union[KaimingUniform, _Mapping]] = ..., kaiming_normal: _Optional[_Union[KaimingNormal, _Mapping]] = ..., library_default: _Optional[_Union[LibraryDefault, _Mapping]] = ..., orthogonal: _Optional[_Union[Orthogonal, _Mapping]] = ..., delta_orthogonal: _Optional[_Union[DeltaOrthogonal, _Mapping]] = ..., sparse: _Optional[_Union[Sparse, _Mapping]] = ..., corrected_trunc_normal: _Optional[_Union[CorrectedTruncNormal, _Mapping]] = ..., variance_scaling: _Optional[_Union[VarianceScaling, _Mapping]] = ..., lecun_uniform: _Optional[_Union[LecunUniform, _Mapping]] = ..., lecun_normal: _Optional[_Union[LecunNormal, _Mapping]] = ..., trunc_normal_tf: _Optional[_Union[TruncNormalTf, _Mapping]] = ..., arange: _Optional[_Union[ArangeValues, _Mapping]] = ..., linspace: _Optional[_Union[LinspaceValues, _Mapping]] = ..., log_arange: _Optional[_Union[LogArange, _Mapping]] = ..., values: _Optional[_Union[Values, _Mapping]] = ..., permutation: _Optional[_Union[RandomPermutation, _Mapping]] = ..., split: _Optional[_Union[Split, _Mapping]] = ..., pieces: _Optional[_Union[Pieces, _Mapping]] = ..., pointwise: _Optional[_Union[PointwiseOf, _Mapping]] = ..., broadcast: _Optional[_Union[BroadcastOf, _Mapping]] = ..., norm_of: _Optional[_Union[NormOfTensor, _Mapping]] = ..., copy: _Optional[_Union[CopyOfTensor, _Mapping]] = ..., block_orthogonal: _Optional[_Union[BlockOrthogonal, _Mapping]] = ..., prior_probability: _Optional[_Union[PriorProbability, _Mapping]] = ..., gate_bias: _Optional[_Union[GateBias, _Mapping]] = ..., siren: _Optional[_Union[Siren, _Mapping]] = ..., padded: _Optional[_Union[Padded, _Mapping]] = ..., spectral: _Optional[_Union[Spectral, _Mapping]] = ..., mup: _Optional[_Union[Mup, _Mapping]] = ..., stored: _Optional[_Union[Stored, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("gain", "fans", "axes")
    GAIN_FIELD_NUMBER: _ClassVar[int]
    FANS_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    gain: float
    fans: str
    axes: _architecture_pb2.FanAxes
    def __init__(self, gain: _Optional[float] = ..., fans: _Optional[str] = ..., axes: _Optional[_Union[_architecture_pb2.FanAxes, _Mapping]] = ...) -> None: ...

class XavierNormal(_message.Message):
    __slots__ = ("gain", "fans", "axes")
    GAIN_FIELD_NUMBER: _ClassVar[int]
    FANS_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    gain: float
    fans: str
    axes: _architecture_pb2.FanAxes
    def __init__(self, gain: _Optional[float] = ..., fans: _Optional[str] = ..., axes: _Optional[_Union[_architecture_pb2.FanAxes, _Mapping]] = ...) -> None: ...

class KaimingUniform(_message.Message):
    __slots__ = ("a", "mode", "nonlinearity", "fans", "axes")
    A_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    NONLINEARITY_FIELD_NUMBER: _ClassVar[int]
    FANS_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    a: float
    mode: str
    nonlinearity: str
    fans: str
    axes: _architecture_pb2.FanAxes
    def __init__(self, a: _Optional[float] = ..., mode: _Optional[str] = ..., nonlinearity: _Optional[str] = ..., fans: _Optional[str] = ..., axes: _Optional[_Union[_architecture_pb2.FanAxes, _Mapping]] = ...) -> None: ...

class KaimingNormal(_message.Message):
    __slots__ = ("a", "mode", "nonlinearity", "fans", "axes")
    A_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    NONLINEARITY_FIELD_NUMBER: _ClassVar[int]
    FANS_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    a: float
    mode: str
    nonlinearity: str
    fans: str
    axes: _architecture_pb2.FanAxes
    def __init__(self, a: _Optional[float] = ..., mode: _Optional[str] = ..., nonlinearity: _Optional[str] = ..., fans: _Optional[str] = ..., axes: _Optional[_Union[_architecture_pb2.FanAxes, _Mapping]] = ...) -> None: ...

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

class VarianceScaling(_message.Message):
    __slots__ = ("scale", "mode", "distribution", "fans", "axes")
    SCALE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    DISTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    FANS_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    scale: float
    mode: str
    distribution: str
    fans: str
    axes: _architecture_pb2.FanAxes
    def __init__(self, scale: _Optional[float] = ..., mode: _Optional[str] = ..., distribution: _Optional[str] = ..., fans: _Optional[str] = ..., axes: _Optional[_Union[_architecture_pb2.FanAxes, _Mapping]] = ...) -> None: ...

class LecunUniform(_message.Message):
    __slots__ = ("fans", "axes")
    FANS_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    fans: str
    axes: _architecture_pb2.FanAxes
    def __init__(self, fans: _Optional[str] = ..., axes: _Optional[_Union[_architecture_pb2.FanAxes, _Mapping]] = ...) -> None: ...

class LecunNormal(_message.Message):
    __slots__ = ("fans", "axes")
    FANS_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    fans: str
    axes: _architecture_pb2.FanAxes
    def __init__(self, fans: _Optional[str] = ..., axes: _Optional[_Union[_architecture_pb2.FanAxes, _Mapping]] = ...) -> None: ...

class TruncNormalTf(_message.Message):
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

class ArangeValues(_message.Message):
    __slots__ = ("start", "step", "axis")
    START_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    start: float
    step: float
    axis: int
    def __init__(self, start: _Optional[float] = ..., step: _Optional[float] = ..., axis: _Optional[int] = ...) -> None: ...

class LinspaceValues(_message.Message):
    __slots__ = ("start", "end", "axis")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    start: float
    end: float
    axis: int
    def __init__(self, start: _Optional[float] = ..., end: _Optional[float] = ..., axis: _Optional[int] = ...) -> None: ...

class LogArange(_message.Message):
    __slots__ = ("start", "step", "axis")
    START_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    start: float
    step: float
    axis: int
    def __init__(self, start: _Optional[float] = ..., step: _Optional[float] = ..., axis: _Optional[int] = ...) -> None: ...

class Values(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class RandomPermutation(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Split(_message.Message):
    __slots__ = ("axis", "sizes", "parts", "count", "squeeze")
    AXIS_FIELD_NUMBER: _ClassVar[int]
    SIZES_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SQUEEZE_FIELD_NUMBER: _ClassVar[int]
    axis: int
    sizes: _containers.RepeatedScalarFieldContainer[int]
    parts: _containers.RepeatedCompositeFieldContainer[InitRule]
    count: int
    squeeze: bool
    def __init__(self, axis: _Optional[int] = ..., sizes: _Optional[_Iterable[int]] = ..., parts: _Optional[_Iterable[_Union[InitRule, _Mapping]]] = ..., count: _Optional[int] = ..., squeeze: _Optional[bool] = ...) -> None: ...

class Pieces(_message.Message):
    __slots__ = ("base", "pieces")
    BASE_FIELD_NUMBER: _ClassVar[int]
    PIECES_FIELD_NUMBER: _ClassVar[int]
    base: InitRule
    pieces: _containers.RepeatedCompositeFieldContainer[Piece]
    def __init__(self, base: _Optional[_Union[InitRule, _Mapping]] = ..., pieces: _Optional[_Iterable[_Union[Piece, _Mapping]]] = ...) -> None: ...

class Piece(_message.Message):
    __slots__ = ("start", "stop", "init")
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    INIT_FIELD_NUMBER: _ClassVar[int]
    start: _containers.RepeatedScalarFieldContainer[int]
    stop: _containers.RepeatedScalarFieldContainer[int]
    init: InitRule
    def __init__(self, start: _Optional[_Iterable[int]] = ..., stop: _Optional[_Iterable[int]] = ..., init: _Optional[_Union[InitRule, _Mapping]] = ...) -> None: ...

class PointwiseOf(_message.Message):
    __slots__ = ("op", "operands")
    OP_FIELD_NUMBER: _ClassVar[int]
    OPERANDS_FIELD_NUMBER: _ClassVar[int]
    op: str
    operands: _containers.RepeatedCompositeFieldContainer[InitRule]
    def __init__(self, op: _Optional[str] = ..., operands: _Optional[_Iterable[_Union[InitRule, _Mapping]]] = ...) -> None: ...

class BroadcastOf(_message.Message):
    __slots__ = ("axes", "of")
    AXES_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    of: InitRule
    def __init__(self, axes: _Optional[_Iterable[int]] = ..., of: _Optional[_Union[InitRule, _Mapping]] = ...) -> None: ...

class NormOfTensor(_message.Message):
    __slots__ = ("tensor", "axis")
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    tensor: str
    axis: int
    def __init__(self, tensor: _Optional[str] = ..., axis: _Optional[int] = ...) -> None: ...

class CopyOfTensor(_message.Message):
    __slots__ = ("tensor",)
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    tensor: str
    def __init__(self, tensor: _Optional[str] = ...) -> None: ...

class BlockOrthogonal(_message.Message):
    __slots__ = ("split_sizes", "gain")
    SPLIT_SIZES_FIELD_NUMBER: _ClassVar[int]
    GAIN_FIELD_NUMBER: _ClassVar[int]
    split_sizes: _containers.RepeatedScalarFieldContainer[int]
    gain: float
    def __init__(self, split_sizes: _Optional[_Iterable[int]] = ..., gain: _Optional[float] = ...) -> None: ...

class PriorProbability(_message.Message):
    __slots__ = ("p", "classes")
    P_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    p: float
    classes: float
    def __init__(self, p: _Optional[float] = ..., classes: _Optional[float] = ...) -> None: ...

class GateBias(_message.Message):
    __slots__ = ("input", "forget", "cell", "output", "reset", "update", "new")
    INPUT_FIELD_NUMBER: _ClassVar[int]
    FORGET_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    NEW_FIELD_NUMBER: _ClassVar[int]
    input: float
    forget: float
    cell: float
    output: float
    reset: float
    update: float
    new: float
    def __init__(self, input: _Optional[float] = ..., forget: _Optional[float] = ..., cell: _Optional[float] = ..., output: _Optional[float] = ..., reset: _Optional[float] = ..., update: _Optional[float] = ..., new: _Optional[float] = ...) -> None: ...

class Siren(_message.Message):
    __slots__ = ("omega", "first", "fans", "axes")
    OMEGA_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    FANS_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    omega: float
    first: bool
    fans: str
    axes: _architecture_pb2.FanAxes
    def __init__(self, omega: _Optional[float] = ..., first: _Optional[bool] = ..., fans: _Optional[str] = ..., axes: _Optional[_Union[_architecture_pb2.FanAxes, _Mapping]] = ...) -> None: ...

class Padded(_message.Message):
    __slots__ = ("row", "of")
    ROW_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    row: int
    of: InitRule
    def __init__(self, row: _Optional[int] = ..., of: _Optional[_Union[InitRule, _Mapping]] = ...) -> None: ...

class Spectral(_message.Message):
    __slots__ = ("gain", "fans", "axes")
    GAIN_FIELD_NUMBER: _ClassVar[int]
    FANS_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    gain: float
    fans: str
    axes: _architecture_pb2.FanAxes
    def __init__(self, gain: _Optional[float] = ..., fans: _Optional[str] = ..., axes: _Optional[_Union[_architecture_pb2.FanAxes, _Mapping]] = ...) -> None: ...

class Mup(_message.Message):
    __slots__ = ("of",)
    OF_FIELD_NUMBER: _ClassVar[int]
    of: InitRule
    def __init__(self, of: _Optional[_Union[InitRule, _Mapping]] = ...) -> None: ...

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

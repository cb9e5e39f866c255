"""The classes of torch.nn that a module tree may name, and those that it may not, with the reason.

Data only: this file imports nothing, so that capabilities need no torch.
"""

from __future__ import annotations

from collections.abc import Mapping


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


CONTAINERS = _names("ModuleDict ModuleList Sequential")

PARAMETER_BEARING = _names(
    """
    AdaptiveLogSoftmaxWithLoss BatchNorm1d BatchNorm2d BatchNorm3d Bilinear Conv1d Conv2d Conv3d ConvTranspose1d
    ConvTranspose2d ConvTranspose3d Embedding EmbeddingBag GRU GRUCell GroupNorm InstanceNorm1d InstanceNorm2d
    InstanceNorm3d LSTM LSTMCell LayerNorm Linear LinearCrossEntropyLoss MultiheadAttention PReLU RMSNorm RNN
    RNNCell SyncBatchNorm Transformer TransformerDecoderLayer TransformerEncoderLayer
    """
)

PARAMETER_FREE = _names(
    """
    AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d
    AlphaDropout AvgPool1d AvgPool2d AvgPool3d BCELoss BCEWithLogitsLoss CELU CTCLoss ChannelShuffle CircularPad1d
    CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d CosineEmbeddingLoss CosineSimilarity
    CrossEntropyLoss CrossMapLRN2d Dropout Dropout1d Dropout2d Dropout3d ELU FeatureAlphaDropout Flatten Fold
    FractionalMaxPool2d FractionalMaxPool3d GELU GLU GaussianNLLLoss Hardshrink Hardsigmoid Hardswish Hardtanh
    HingeEmbeddingLoss HuberLoss Identity KLDivLoss L1Loss LPPool1d LPPool2d LPPool3d LeakyReLU LocalResponseNorm
    LogSigmoid LogSoftmax MSELoss MarginRankingLoss MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d
    MaxUnpool3d Mish MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss PairwiseDistance
    PixelShuffle PixelUnshuffle PoissonNLLLoss RReLU ReLU ReLU6 ReflectionPad1d ReflectionPad2d ReflectionPad3d
    ReplicationPad1d ReplicationPad2d ReplicationPad3d SELU SiLU Sigmoid SmoothL1Loss SoftMarginLoss Softmax
    Softmax2d Softmin Softplus Softshrink Softsign Tanh Tanhshrink Threshold TripletMarginLoss
    TripletMarginWithDistanceLoss Unflatten Unfold Upsample UpsamplingBilinear2d UpsamplingNearest2d ZeroPad1d
    ZeroPad2d ZeroPad3d
    """
)

ALLOWED = CONTAINERS | PARAMETER_BEARING | PARAMETER_FREE

_LAZY = _names(
    """
    BatchNorm1d BatchNorm2d BatchNorm3d Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d
    InstanceNorm1d InstanceNorm2d InstanceNorm3d Linear
    """
)
_STACKED = "it takes modules as arguments; use {} with `repeat` in a Sequential or ModuleList"

REFUSED: Mapping[str, str] = {
    "Module": "the base class holds nothing; use `declare` with children and parameters",
    "Container": "removed from PyTorch's interface long ago; use Sequential or `declare`",
    "DataParallel": "it wraps a module for several devices and changes every name; leave it out",
    "NLLLoss2d": "deprecated by PyTorch; use NLLLoss",
    "ParameterDict": "it takes parameters as arguments; use `declare` with parameters",
    "ParameterList": "it takes parameters as arguments; use `declare` with parameters",
    "RNNBase": "an abstract base; use RNN, LSTM or GRU",
    "RNNCellBase": "an abstract base; use RNNCell, LSTMCell or GRUCell",
    "TransformerDecoder": _STACKED.format("TransformerDecoderLayer"),
    "TransformerEncoder": _STACKED.format("TransformerEncoderLayer"),
    **{f"Lazy{name}": f"its sizes come from data; name {name} and give them" for name in sorted(_LAZY)},
}

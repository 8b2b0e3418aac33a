"""The public names, for editors and type checkers; `__init__.py` loads them late.

Below its last heading stands what `python tools/make_stub.py` writes of the catalogue. Numbers give NumPy's numbers,
arrays and nested lists give arrays, and tensors give tensors, which come last: without torch they are Any.
"""

# A card takes fewer keywords than its base class, which takes any, and no map has a slope.
# mypy: disable-error-code="override, misc"

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import (
    Any,
    Concatenate,
    Generic,
    Literal,
    Never,
    ParamSpec,
    Protocol,
    Self,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

import numpy as np
from numpy.typing import NDArray
from torch import Generator as _TensorGenerator
from torch import Tensor

from slopes import boosting as boosting
from slopes import catalogue as catalogue
from slopes import domains as domains
from slopes import integrations as integrations
from slopes import kernels as kernels
from slopes import nn as nn
from slopes import ops as ops
from slopes import testing as testing
from slopes.alignment import ctc as ctc
from slopes.auditing import audit as audit
from slopes.card import Activation as Activation
from slopes.card import Gate as _GateCard
from slopes.card import Loss as Loss
from slopes.card import Map as _MapCard
from slopes.comparing import compare as compare
from slopes.diagnosing import Watcher as Watcher
from slopes.diagnosing import diagnose as diagnose
from slopes.facts import Paper as Paper
from slopes.fused import linear_loss as linear_loss
from slopes.plotting import show as show
from slopes.proving import prove as prove
from slopes.scoring import scorer as scorer
from slopes.swapping import swap as swap
from slopes.truth.oracle import exact as exact
from slopes.weighting import class_balanced_weights as class_balanced_weights

# ------------------------------------------------------------------------------ what cards take and give

_P = ParamSpec("_P")
_T_co = TypeVar("_T_co", covariant=True)
_F = TypeVar("_F", bound=np.floating[Any])

class _SupportsArray(Protocol):
    """An array, or what converts to one, such as a column of pandas; a tensor does not know `copy`."""

    def __array__(self, dtype: Any = None, /, *, copy: bool | None = None) -> NDArray[Any]: ...

class _Nested(Protocol[_T_co]):
    """Lists and tuples, also of lists and tuples; text is none, since it contains text alone."""

    def __len__(self, /) -> int: ...
    def __getitem__(self, index: int, /) -> _T_co | _Nested[_T_co]: ...
    def __contains__(self, x: object, /) -> bool: ...
    def __iter__(self, /) -> Iterator[_T_co | _Nested[_T_co]]: ...
    def __reversed__(self, /) -> Iterator[_T_co | _Nested[_T_co]]: ...
    def count(self, value: Any, /) -> int: ...
    def index(self, value: Any, /) -> int: ...

_Array: TypeAlias = NDArray[Any]
_Floating: TypeAlias = np.floating[Any]
_Number: TypeAlias = float | np.integer[Any] | np.bool
_Arrays: TypeAlias = _SupportsArray | _Nested[_SupportsArray | np.number[Any] | _Number]
_Values: TypeAlias = _Arrays | np.number[Any] | _Number
_ArrayParameter: TypeAlias = float | np.number[Any] | _SupportsArray
_TensorParameter: TypeAlias = float | np.number[Any] | Tensor
_Parameter: TypeAlias = _ArrayParameter | Tensor
_Reduction: TypeAlias = Literal["mean", "sum", "none"]
_FloatingAndArray: TypeAlias = tuple[_Floating, _Array]
_TwoArrays: TypeAlias = tuple[_Array, _Array]
_TwoTensors: TypeAlias = tuple[Tensor, Tensor]

# ------------------------------------------------------------------------------------- shapes of cards

# The card as what is called with x and then keywords, which `slope` and `vjp` take, too.
_Call: TypeAlias = Callable[Concatenate[Any, _P], Any]

class _Elementwise(Activation):
    @overload
    def __call__(self, x: _Arrays, *extra: Any, **parameters: Any) -> _Array: ...
    @overload
    def __call__(self, x: _Number, *extra: Any, **parameters: Any) -> np.float64: ...
    @overload
    def __call__(self, x: _F, *extra: Any, **parameters: Any) -> _F: ...
    @overload
    def __call__(self, x: Tensor, *extra: Any, **parameters: Any) -> Tensor: ...
    @overload
    def slope(self: _Call[_P], x: _Arrays, *extra: _P.args, **parameters: _P.kwargs) -> _Array:
        """Return the derivative at each entry, in the shape and dtype of x; at a kink it is PyTorch's."""
    @overload
    def slope(self: _Call[_P], x: _Number, *extra: _P.args, **parameters: _P.kwargs) -> np.float64: ...
    @overload
    def slope(self: _Call[_P], x: _F, *extra: _P.args, **parameters: _P.kwargs) -> _F: ...
    @overload
    def slope(self: _Call[_P], x: Tensor, *extra: _P.args, **parameters: _P.kwargs) -> Tensor: ...
    @overload
    def vjp(self: _Call[_P], x: _Arrays, cotangent: _Values, *extra: _P.args, **parameters: _P.kwargs) -> _Array:
        """Return the cotangent (of the shape of x) pulled back through the function: cotangent · slope(x)."""
    @overload
    def vjp(
        self: _Call[_P], x: _Number, cotangent: _Values, *extra: _P.args, **parameters: _P.kwargs
    ) -> np.float64: ...
    @overload
    def vjp(self: _Call[_P], x: _F, cotangent: _Values, *extra: _P.args, **parameters: _P.kwargs) -> _F: ...
    @overload
    def vjp(self: _Call[_P], x: Tensor, cotangent: Tensor, *extra: _P.args, **parameters: _P.kwargs) -> Tensor: ...

class _Rowwise(_MapCard):
    def slope(self: Never, x: Any, **parameters: Any) -> Any:  # refused: each call is an error
        """Refuse: entries of a row depend on one another."""
    @overload
    def vjp(self: _Call[_P], x: _Arrays, cotangent: _Arrays, *extra: _P.args, **parameters: _P.kwargs) -> _Array:
        """Return the cotangent (of the result's shape) pulled back through the map along the axis."""
    @overload
    def vjp(self: _Call[_P], x: Tensor, cotangent: Tensor, *extra: _P.args, **parameters: _P.kwargs) -> Tensor: ...

# ------------------------------------------------------------------------------------- cards of your own

class _OwnActivation(_Elementwise, Generic[_P]):
    @overload
    def __call__(self, x: _Arrays, *extra: _P.args, **parameters: _P.kwargs) -> _Array: ...
    @overload
    def __call__(self, x: _Number, *extra: _P.args, **parameters: _P.kwargs) -> np.float64: ...
    @overload
    def __call__(self, x: _F, *extra: _P.args, **parameters: _P.kwargs) -> _F: ...
    @overload
    def __call__(self, x: Tensor, *extra: _P.args, **parameters: _P.kwargs) -> Tensor: ...

class _OwnMap(_Rowwise):
    @overload
    def __call__(self, x: _Arrays, *, axis: int = -1, mask: _Arrays | None = None, **parameters: Any) -> _Array: ...
    @overload
    def __call__(self, x: Tensor, *, axis: int = -1, mask: Tensor | None = None, **parameters: Any) -> Tensor: ...

class _OwnGate(_Rowwise, _GateCard):
    @overload
    def __call__(
        self, x: _Arrays, *, axis: int = -1, gate: Literal["first", "last"] | None = None, **parameters: Any
    ) -> _Array: ...
    @overload
    def __call__(
        self, x: Tensor, *, axis: int = -1, gate: Literal["first", "last"] | None = None, **parameters: Any
    ) -> Tensor: ...

_Mean_co = TypeVar("_Mean_co", covariant=True)
_Each_co = TypeVar("_Each_co", covariant=True)
_Tensors_co = TypeVar("_Tensors_co", covariant=True)

class _OwnLossCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self,
        prediction: _Values,
        target: _Values,
        *,
        reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None,
        mask: _Values | None = None,
        divisor: _ArrayParameter | None = None,
        **options: Any,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self,
        prediction: _Values,
        target: _Values,
        *,
        reduction: Literal["none"],
        weight: _Values | None = None,
        mask: _Values | None = None,
        **options: Any,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self,
        prediction: Tensor,
        target: Tensor,
        *,
        reduction: _Reduction = "mean",
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        divisor: _TensorParameter | None = None,
        **options: Any,
    ) -> _Tensors_co: ...

class _OwnLoss(_OwnLossCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _OwnLossCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype.

        It takes the keywords of a call. With ``reduction="none"`` it is the gradient of the sum.
        """
    @property
    def slope(self) -> _OwnLossCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""

_SameAs: TypeAlias = Mapping[str, str | tuple[str, str]]

@overload
def activation(body: Callable[Concatenate[Any, _P], Any], /) -> _OwnActivation[_P]:
    """Make a card of a body ``(x, *, parameters)``: element-wise, or by ``kind="map"`` a map of rows on the last axis.

    With ``kind="gate"`` the body takes a gate and a value, the halves of an axis; `gate` is the gate's half, "first" or
    "last". `definition` is the textbook form of a numerically stable body. `same_as` has an expression of x for each
    peer library, or a pair of it and the peer's default call if that gives another number. Claims are the fields of
    `Claims`.
    """

@overload
def activation(
    *,
    kind: Literal["elementwise"] = "elementwise",
    definition: Callable[..., Any] | None = None,
    same_as: _SameAs | None = None,
    papers: tuple[Paper, ...] = (),
    **claims: Unpack[_Claims],
) -> Callable[[Callable[Concatenate[Any, _P], Any]], _OwnActivation[_P]]: ...
@overload
def activation(
    *,
    kind: Literal["map"],
    definition: Callable[..., Any] | None = None,
    same_as: _SameAs | None = None,
    papers: tuple[Paper, ...] = (),
    **claims: Unpack[_Claims],
) -> Callable[[Callable[..., Any]], _OwnMap]: ...
@overload
def activation(
    *,
    kind: Literal["gate"],
    gate: Literal["first", "last"] | None = None,
    definition: Callable[..., Any] | None = None,
    same_as: _SameAs | None = None,
    papers: tuple[Paper, ...] = (),
    **claims: Unpack[_Claims],
) -> Callable[[Callable[..., Any]], _OwnGate]: ...
@overload
def loss(
    kind: _PairKind,
    *,
    space: _Space | None = None,
    target: _Space | None = None,
    definition: Callable[..., Any] | None = None,
    same_as: _SameAs | None = None,
    papers: tuple[Paper, ...] = (),
    **claims: Unpack[_Claims],
) -> Callable[[Callable[..., Any]], _OwnLoss]:
    """Make a card of a body (prediction, target) that gives one value per element, or per row of classes.

    `kind` is "regression", "binary", "classification" or another of `slopes.kinds`.
    Predictions of "binary" and "classification" are logits, unless `space` is "probabilities" or the body has a
    parameter ``from_probabilities``. `space` and `target` replace the kind's spaces. Other fields are as for
    `activation`; a minimum of 0 is claimed by default.
    """

@overload
def loss(
    kind: _OtherKind,
    *,
    space: _Space | None = None,
    target: _Space | None = None,
    definition: Callable[..., Any] | None = None,
    same_as: _SameAs | None = None,
    papers: tuple[Paper, ...] = (),
    **claims: Unpack[_Claims],
) -> Callable[[Callable[..., Any]], Loss]: ...

__all__: list[str]
__version__: str

# ------------------------------------------------------------------- written by tools/make_stub.py
# fmt: off
_PairKind: TypeAlias = Literal[
    "regression", "binary", "margin", "classification", "multilabel", "distribution", "grades", "conditional grades",
    "cumulative grades", "distillation", "vectors", "forecasts", "boxes", "overlap", "ranked overlap",
    "overlap scores", "joint overlap", "images",
]
_OtherKind: TypeAlias = Literal[
    "variance", "zero inflation", "evidence", "ranking", "preference", "preference alone", "likelihoods of answers",
    "judged answers", "tokens of a policy", "pairs", "triplets", "images alone", "embeddings",
]
_Space: TypeAlias = Literal[
    "real", "logits", "probabilities", "chances", "log-probabilities", "log-likelihoods", "positive", "non-negative",
    "above -1", "cosines", "signs", "steps between grades", "edges of grades", "falling logits", "distributions",
    "boxes",
]

class _Claims(TypedDict, total=False):
    range: tuple[float, float] | None
    zero: float | None
    lipschitz: float | None
    monotone: bool | None
    symmetry: str | None
    convex: bool | None
    kinks: tuple[float, ...] | None
    minimum: float | None
    ignores_target: bool | None
    detached: bool | None
    ulps: float | None

class _Glu(_Rowwise, _GateCard):
    @overload
    def __call__(self, x: _Arrays, *, axis: int = -1, gate: Literal["first", "last"] = "last") -> _Array: ...
    @overload
    def __call__(self, x: Tensor, *, axis: int = -1, gate: Literal["first", "last"] = "last") -> Tensor: ...
    def with_(self) -> Self: ...

class _Gate(_Rowwise, _GateCard):
    @overload
    def __call__(self, x: _Arrays, *, axis: int = -1, gate: Literal["first", "last"] = "first") -> _Array: ...
    @overload
    def __call__(self, x: Tensor, *, axis: int = -1, gate: Literal["first", "last"] = "first") -> Tensor: ...
    def with_(self) -> Self: ...

class _Geglu(_Rowwise, _GateCard):
    @overload
    def __call__(
        self, x: _Arrays, *, approximate: Literal["none", "tanh"] = "none", axis: int = -1,
        gate: Literal["first", "last"] = "first",
    ) -> _Array: ...
    @overload
    def __call__(
        self, x: Tensor, *, approximate: Literal["none", "tanh"] = "none", axis: int = -1,
        gate: Literal["first", "last"] = "first",
    ) -> Tensor: ...
    def with_(self, *, approximate: Literal["none", "tanh"] = "none") -> Self: ...

class _ActivationAlpha(_Elementwise):
    @overload
    def __call__(self, x: _Arrays, *, alpha: _ArrayParameter = 1.0, out: _Array | None = None) -> _Array: ...
    @overload
    def __call__(self, x: _Number, *, alpha: _ArrayParameter = 1.0, out: _Array | None = None) -> np.float64: ...
    @overload
    def __call__(self, x: _F, *, alpha: _ArrayParameter = 1.0, out: _Array | None = None) -> _F: ...
    @overload
    def __call__(self, x: Tensor, *, alpha: _TensorParameter = 1.0, out: None = None) -> Tensor: ...
    def with_(self, *, alpha: _Parameter = 1.0) -> Self: ...

class _Sine(_Elementwise):
    @overload
    def __call__(self, x: _Arrays, *, omega: _ArrayParameter = 1.0, out: _Array | None = None) -> _Array: ...
    @overload
    def __call__(self, x: _Number, *, omega: _ArrayParameter = 1.0, out: _Array | None = None) -> np.float64: ...
    @overload
    def __call__(self, x: _F, *, omega: _ArrayParameter = 1.0, out: _Array | None = None) -> _F: ...
    @overload
    def __call__(self, x: Tensor, *, omega: _TensorParameter = 1.0, out: None = None) -> Tensor: ...
    def with_(self, *, omega: _Parameter = 1.0) -> Self: ...

class _Activation(_Elementwise):
    @overload
    def __call__(self, x: _Arrays, *, out: _Array | None = None) -> _Array: ...
    @overload
    def __call__(self, x: _Number, *, out: _Array | None = None) -> np.float64: ...
    @overload
    def __call__(self, x: _F, *, out: _Array | None = None) -> _F: ...
    @overload
    def __call__(self, x: Tensor, *, out: None = None) -> Tensor: ...
    def with_(self) -> Self: ...

class _HardTanh(_Elementwise):
    @overload
    def __call__(
        self, x: _Arrays, *, min_val: _ArrayParameter = -1.0, max_val: _ArrayParameter = 1.0,
        out: _Array | None = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self, x: _Number, *, min_val: _ArrayParameter = -1.0, max_val: _ArrayParameter = 1.0,
        out: _Array | None = None,
    ) -> np.float64: ...
    @overload
    def __call__(
        self, x: _F, *, min_val: _ArrayParameter = -1.0, max_val: _ArrayParameter = 1.0, out: _Array | None = None,
    ) -> _F: ...
    @overload
    def __call__(
        self, x: Tensor, *, min_val: _TensorParameter = -1.0, max_val: _TensorParameter = 1.0, out: None = None,
    ) -> Tensor: ...
    def with_(self, *, min_val: _Parameter = -1.0, max_val: _Parameter = 1.0) -> Self: ...

class _HardSigmoid(_Elementwise):
    @overload
    def __call__(
        self, x: _Arrays, *, slope: _ArrayParameter = 0.16666666666666666, out: _Array | None = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self, x: _Number, *, slope: _ArrayParameter = 0.16666666666666666, out: _Array | None = None,
    ) -> np.float64: ...
    @overload
    def __call__(self, x: _F, *, slope: _ArrayParameter = 0.16666666666666666, out: _Array | None = None) -> _F: ...
    @overload
    def __call__(self, x: Tensor, *, slope: _TensorParameter = 0.16666666666666666, out: None = None) -> Tensor: ...
    def with_(self, *, slope: _Parameter = 0.16666666666666666) -> Self: ...

class _StarRelu(_Elementwise):
    @overload
    def __call__(
        self, x: _Arrays, *, scale: _ArrayParameter = 1.0, bias: _ArrayParameter = 0.0, out: _Array | None = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self, x: _Number, *, scale: _ArrayParameter = 1.0, bias: _ArrayParameter = 0.0, out: _Array | None = None,
    ) -> np.float64: ...
    @overload
    def __call__(
        self, x: _F, *, scale: _ArrayParameter = 1.0, bias: _ArrayParameter = 0.0, out: _Array | None = None,
    ) -> _F: ...
    @overload
    def __call__(
        self, x: Tensor, *, scale: _TensorParameter = 1.0, bias: _TensorParameter = 0.0, out: None = None,
    ) -> Tensor: ...
    def with_(self, *, scale: _Parameter = 1.0, bias: _Parameter = 0.0) -> Self: ...

class _ActivationBeta(_Elementwise):
    @overload
    def __call__(self, x: _Arrays, *, beta: _ArrayParameter = 1.0, out: _Array | None = None) -> _Array: ...
    @overload
    def __call__(self, x: _Number, *, beta: _ArrayParameter = 1.0, out: _Array | None = None) -> np.float64: ...
    @overload
    def __call__(self, x: _F, *, beta: _ArrayParameter = 1.0, out: _Array | None = None) -> _F: ...
    @overload
    def __call__(self, x: Tensor, *, beta: _TensorParameter = 1.0, out: None = None) -> Tensor: ...
    def with_(self, *, beta: _Parameter = 1.0) -> Self: ...

class _Rational(_Elementwise):
    @overload
    def __call__(
        self, x: _Arrays, *,
        numerator: _Arrays = (0.02979246, 0.61837738, 2.32335207, 3.0520266, 1.48548002, 0.25103717),
        denominator: _Arrays = (1.14201226, 4.39322834, 0.8715445, 0.34720652), out: _Array | None = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self, x: _Number, *,
        numerator: _Arrays = (0.02979246, 0.61837738, 2.32335207, 3.0520266, 1.48548002, 0.25103717),
        denominator: _Arrays = (1.14201226, 4.39322834, 0.8715445, 0.34720652), out: _Array | None = None,
    ) -> np.float64: ...
    @overload
    def __call__(
        self, x: _F, *, numerator: _Arrays = (0.02979246, 0.61837738, 2.32335207, 3.0520266, 1.48548002, 0.25103717),
        denominator: _Arrays = (1.14201226, 4.39322834, 0.8715445, 0.34720652), out: _Array | None = None,
    ) -> _F: ...
    @overload
    def __call__(
        self, x: Tensor, *,
        numerator: Tensor | Sequence[float] = (0.02979246, 0.61837738, 2.32335207, 3.0520266, 1.48548002, 0.25103717),
        denominator: Tensor | Sequence[float] = (1.14201226, 4.39322834, 0.8715445, 0.34720652), out: None = None,
    ) -> Tensor: ...
    def with_(
        self, *, numerator: _Arrays | Tensor = (0.02979246, 0.61837738, 2.32335207, 3.0520266, 1.48548002, 0.25103717),
        denominator: _Arrays | Tensor = (1.14201226, 4.39322834, 0.8715445, 0.34720652),
    ) -> Self: ...

class _LeakyRelu(_Elementwise):
    @overload
    def __call__(self, x: _Arrays, *, negative_slope: _ArrayParameter = 0.01, out: _Array | None = None) -> _Array: ...
    @overload
    def __call__(
        self, x: _Number, *, negative_slope: _ArrayParameter = 0.01, out: _Array | None = None,
    ) -> np.float64: ...
    @overload
    def __call__(self, x: _F, *, negative_slope: _ArrayParameter = 0.01, out: _Array | None = None) -> _F: ...
    @overload
    def __call__(self, x: Tensor, *, negative_slope: _TensorParameter = 0.01, out: None = None) -> Tensor: ...
    def with_(self, *, negative_slope: _Parameter = 0.01) -> Self: ...

class _Prelu(_Elementwise):
    @overload
    def __call__(self, x: _Arrays, *, weight: _ArrayParameter = 0.25, out: _Array | None = None) -> _Array: ...
    @overload
    def __call__(self, x: _Number, *, weight: _ArrayParameter = 0.25, out: _Array | None = None) -> np.float64: ...
    @overload
    def __call__(self, x: _F, *, weight: _ArrayParameter = 0.25, out: _Array | None = None) -> _F: ...
    @overload
    def __call__(self, x: Tensor, *, weight: _TensorParameter = 0.25, out: None = None) -> Tensor: ...
    def with_(self, *, weight: _Parameter = 0.25) -> Self: ...

class _Rrelu(_Elementwise):
    @overload
    def __call__(
        self, x: _Arrays, *, lower: _ArrayParameter = 0.125, upper: _ArrayParameter = 0.3333333333333333,
        noise: _ArrayParameter = 0.5, generator: np.random.Generator | None = None, out: _Array | None = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self, x: _Number, *, lower: _ArrayParameter = 0.125, upper: _ArrayParameter = 0.3333333333333333,
        noise: _ArrayParameter = 0.5, generator: np.random.Generator | None = None, out: _Array | None = None,
    ) -> np.float64: ...
    @overload
    def __call__(
        self, x: _F, *, lower: _ArrayParameter = 0.125, upper: _ArrayParameter = 0.3333333333333333,
        noise: _ArrayParameter = 0.5, generator: np.random.Generator | None = None, out: _Array | None = None,
    ) -> _F: ...
    @overload
    def __call__(
        self, x: Tensor, *, lower: _TensorParameter = 0.125, upper: _TensorParameter = 0.3333333333333333,
        noise: _TensorParameter = 0.5, generator: _TensorGenerator | None = None, out: None = None,
    ) -> Tensor: ...
    def with_(
        self, *, lower: _Parameter = 0.125, upper: _Parameter = 0.3333333333333333, noise: _Parameter = 0.5,
    ) -> Self: ...

class _Threshold(_Elementwise):
    @overload
    def __call__(
        self, x: _Arrays, *, threshold: _ArrayParameter = 1.0, value: _ArrayParameter = 0.0, out: _Array | None = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self, x: _Number, *, threshold: _ArrayParameter = 1.0, value: _ArrayParameter = 0.0, out: _Array | None = None,
    ) -> np.float64: ...
    @overload
    def __call__(
        self, x: _F, *, threshold: _ArrayParameter = 1.0, value: _ArrayParameter = 0.0, out: _Array | None = None,
    ) -> _F: ...
    @overload
    def __call__(
        self, x: Tensor, *, threshold: _TensorParameter = 1.0, value: _TensorParameter = 0.0, out: None = None,
    ) -> Tensor: ...
    def with_(self, *, threshold: _Parameter = 1.0, value: _Parameter = 0.0) -> Self: ...

class _ActivationLambd(_Elementwise):
    @overload
    def __call__(self, x: _Arrays, *, lambd: _ArrayParameter = 0.5, out: _Array | None = None) -> _Array: ...
    @overload
    def __call__(self, x: _Number, *, lambd: _ArrayParameter = 0.5, out: _Array | None = None) -> np.float64: ...
    @overload
    def __call__(self, x: _F, *, lambd: _ArrayParameter = 0.5, out: _Array | None = None) -> _F: ...
    @overload
    def __call__(self, x: Tensor, *, lambd: _TensorParameter = 0.5, out: None = None) -> Tensor: ...
    def with_(self, *, lambd: _Parameter = 0.5) -> Self: ...

class _DynamicTanh(_Elementwise):
    @overload
    def __call__(self, x: _Arrays, *, alpha: _ArrayParameter = 0.5, out: _Array | None = None) -> _Array: ...
    @overload
    def __call__(self, x: _Number, *, alpha: _ArrayParameter = 0.5, out: _Array | None = None) -> np.float64: ...
    @overload
    def __call__(self, x: _F, *, alpha: _ArrayParameter = 0.5, out: _Array | None = None) -> _F: ...
    @overload
    def __call__(self, x: Tensor, *, alpha: _TensorParameter = 0.5, out: None = None) -> Tensor: ...
    def with_(self, *, alpha: _Parameter = 0.5) -> Self: ...

class _Squareplus(_Elementwise):
    @overload
    def __call__(self, x: _Arrays, *, b: _ArrayParameter = 4.0, out: _Array | None = None) -> _Array: ...
    @overload
    def __call__(self, x: _Number, *, b: _ArrayParameter = 4.0, out: _Array | None = None) -> np.float64: ...
    @overload
    def __call__(self, x: _F, *, b: _ArrayParameter = 4.0, out: _Array | None = None) -> _F: ...
    @overload
    def __call__(self, x: Tensor, *, b: _TensorParameter = 4.0, out: None = None) -> Tensor: ...
    def with_(self, *, b: _Parameter = 4.0) -> Self: ...

class _Map(_Rowwise):
    @overload
    def __call__(self, x: _Arrays, *, axis: int = -1, mask: _Values | None = None) -> _Array: ...
    @overload
    def __call__(self, x: Tensor, *, axis: int = -1, mask: Tensor | None = None) -> Tensor: ...
    def with_(self) -> Self: ...

class _GumbelSoftmax(_Rowwise):
    @overload
    def __call__(
        self, x: _Arrays, *, tau: _ArrayParameter = 1.0, hard: bool = False, noise: _ArrayParameter = 0.0,
        axis: int = -1, mask: _Values | None = None, generator: np.random.Generator | None = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self, x: Tensor, *, tau: _TensorParameter = 1.0, hard: bool = False, noise: _TensorParameter = 0.0,
        axis: int = -1, mask: Tensor | None = None, generator: _TensorGenerator | None = None,
    ) -> Tensor: ...
    def with_(self, *, tau: _Parameter = 1.0, hard: bool = False, noise: _Parameter = 0.0) -> Self: ...

class _Gelu(_Elementwise):
    @overload
    def __call__(
        self, x: _Arrays, *, approximate: Literal["none", "tanh"] = "none", out: _Array | None = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self, x: _Number, *, approximate: Literal["none", "tanh"] = "none", out: _Array | None = None,
    ) -> np.float64: ...
    @overload
    def __call__(self, x: _F, *, approximate: Literal["none", "tanh"] = "none", out: _Array | None = None) -> _F: ...
    @overload
    def __call__(self, x: Tensor, *, approximate: Literal["none", "tanh"] = "none", out: None = None) -> Tensor: ...
    def with_(self, *, approximate: Literal["none", "tanh"] = "none") -> Self: ...

class _Softcap(_Elementwise):
    @overload
    def __call__(self, x: _Arrays, *, cap: _ArrayParameter = 30.0, out: _Array | None = None) -> _Array: ...
    @overload
    def __call__(self, x: _Number, *, cap: _ArrayParameter = 30.0, out: _Array | None = None) -> np.float64: ...
    @overload
    def __call__(self, x: _F, *, cap: _ArrayParameter = 30.0, out: _Array | None = None) -> _F: ...
    @overload
    def __call__(self, x: Tensor, *, cap: _TensorParameter = 30.0, out: None = None) -> Tensor: ...
    def with_(self, *, cap: _Parameter = 30.0) -> Self: ...

class _Xielu(_Elementwise):
    @overload
    def __call__(
        self, x: _Arrays, *, alpha_p: _ArrayParameter = 0.8, alpha_n: _ArrayParameter = 0.8,
        beta: _ArrayParameter = 0.5, eps: _ArrayParameter = -1e-06, out: _Array | None = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self, x: _Number, *, alpha_p: _ArrayParameter = 0.8, alpha_n: _ArrayParameter = 0.8,
        beta: _ArrayParameter = 0.5, eps: _ArrayParameter = -1e-06, out: _Array | None = None,
    ) -> np.float64: ...
    @overload
    def __call__(
        self, x: _F, *, alpha_p: _ArrayParameter = 0.8, alpha_n: _ArrayParameter = 0.8, beta: _ArrayParameter = 0.5,
        eps: _ArrayParameter = -1e-06, out: _Array | None = None,
    ) -> _F: ...
    @overload
    def __call__(
        self, x: Tensor, *, alpha_p: _TensorParameter = 0.8, alpha_n: _TensorParameter = 0.8,
        beta: _TensorParameter = 0.5, eps: _TensorParameter = -1e-06, out: None = None,
    ) -> Tensor: ...
    def with_(
        self, *, alpha_p: _Parameter = 0.8, alpha_n: _Parameter = 0.8, beta: _Parameter = 0.5,
        eps: _Parameter = -1e-06,
    ) -> Self: ...

class _BoxesCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
    ) -> _Tensors_co: ...
class _Boxes(_BoxesCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _BoxesCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _BoxesCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self) -> Self: ...

class _CategoricalCrossEntropyCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, class_weight: _Values | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, base: _ArrayParameter = 2.718281828459045,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        class_weight: _Values | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        base: _ArrayParameter = 2.718281828459045,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        class_weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        base: _TensorParameter = 2.718281828459045,
    ) -> _Tensors_co: ...
class _CategoricalCrossEntropy(_CategoricalCrossEntropyCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _CategoricalCrossEntropyCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _CategoricalCrossEntropyCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, base: _Parameter = 2.718281828459045) -> Self: ...

class _CrossEntropyCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, class_weight: _Values | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, from_probabilities: bool = False, base: _ArrayParameter = 2.718281828459045,
        z_loss: _ArrayParameter | None = None,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        class_weight: _Values | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        from_probabilities: bool = False, base: _ArrayParameter = 2.718281828459045,
        z_loss: _ArrayParameter | None = None,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        class_weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        from_probabilities: bool = False, base: _TensorParameter = 2.718281828459045,
        z_loss: _TensorParameter | None = None,
    ) -> _Tensors_co: ...
class _CrossEntropy(_CrossEntropyCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _CrossEntropyCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _CrossEntropyCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(
        self, *, from_probabilities: bool = False, base: _Parameter = 2.718281828459045,
        z_loss: _Parameter | None = None,
    ) -> Self: ...

class _ClassificationCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, class_weight: _Values | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        class_weight: _Values | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        class_weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
    ) -> _Tensors_co: ...
class _Classification(_ClassificationCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _ClassificationCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _ClassificationCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self) -> Self: ...

class _Poly1Call(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, class_weight: _Values | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, epsilon: _ArrayParameter = 2.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        class_weight: _Values | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        epsilon: _ArrayParameter = 2.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        class_weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        epsilon: _TensorParameter = 2.0,
    ) -> _Tensors_co: ...
class _Poly1(_Poly1Call[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _Poly1Call[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _Poly1Call[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, epsilon: _Parameter = 2.0) -> Self: ...

class _GeneralizedCrossEntropyCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, class_weight: _Values | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, q: _ArrayParameter = 0.7,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        class_weight: _Values | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        q: _ArrayParameter = 0.7,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        class_weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        q: _TensorParameter = 0.7,
    ) -> _Tensors_co: ...
class _GeneralizedCrossEntropy(_GeneralizedCrossEntropyCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _GeneralizedCrossEntropyCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _GeneralizedCrossEntropyCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, q: _Parameter = 0.7) -> Self: ...

class _SymmetricCrossEntropyCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, class_weight: _Values | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, alpha: _ArrayParameter = 0.1, beta: _ArrayParameter = 1.0,
        floor: _ArrayParameter = 0.0001,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        class_weight: _Values | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        alpha: _ArrayParameter = 0.1, beta: _ArrayParameter = 1.0, floor: _ArrayParameter = 0.0001,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        class_weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        alpha: _TensorParameter = 0.1, beta: _TensorParameter = 1.0, floor: _TensorParameter = 0.0001,
    ) -> _Tensors_co: ...
class _SymmetricCrossEntropy(_SymmetricCrossEntropyCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _SymmetricCrossEntropyCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _SymmetricCrossEntropyCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, alpha: _Parameter = 0.1, beta: _Parameter = 1.0, floor: _Parameter = 0.0001) -> Self: ...

class _LogitAdjustedCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, class_weight: _Values | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, prior: _ArrayParameter = 1.0, tau: _ArrayParameter = 1.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        class_weight: _Values | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        prior: _ArrayParameter = 1.0, tau: _ArrayParameter = 1.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        class_weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        prior: _TensorParameter = 1.0, tau: _TensorParameter = 1.0,
    ) -> _Tensors_co: ...
class _LogitAdjusted(_LogitAdjustedCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _LogitAdjustedCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _LogitAdjustedCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, prior: _Parameter = 1.0, tau: _Parameter = 1.0) -> Self: ...

class _MarginSoftmaxCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, class_weight: _Values | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, margin: _ArrayParameter = 0.5, scale: _ArrayParameter = 64.0,
        form: Literal["arcface", "cosface"] = "arcface",
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        class_weight: _Values | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        margin: _ArrayParameter = 0.5, scale: _ArrayParameter = 64.0, form: Literal["arcface", "cosface"] = "arcface",
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        class_weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        margin: _TensorParameter = 0.5, scale: _TensorParameter = 64.0,
        form: Literal["arcface", "cosface"] = "arcface",
    ) -> _Tensors_co: ...
class _MarginSoftmax(_MarginSoftmaxCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _MarginSoftmaxCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _MarginSoftmaxCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(
        self, *, margin: _Parameter = 0.5, scale: _Parameter = 64.0, form: Literal["arcface", "cosface"] = "arcface",
    ) -> Self: ...

class _BinaryCrossEntropyCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        label_smoothing: float = 0.0, ignore_index: int | None = None, from_probabilities: bool = False,
        base: _ArrayParameter = 2.718281828459045, pos_weight: _ArrayParameter = 1.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, from_probabilities: bool = False, base: _ArrayParameter = 2.718281828459045,
        pos_weight: _ArrayParameter = 1.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, from_probabilities: bool = False, base: _TensorParameter = 2.718281828459045,
        pos_weight: _TensorParameter = 1.0,
    ) -> _Tensors_co: ...
class _BinaryCrossEntropy(_BinaryCrossEntropyCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _BinaryCrossEntropyCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _BinaryCrossEntropyCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(
        self, *, from_probabilities: bool = False, base: _Parameter = 2.718281828459045, pos_weight: _Parameter = 1.0,
    ) -> Self: ...

class _RelativeEntropyCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        log_target: bool = False,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, log_target: bool = False,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, log_target: bool = False,
    ) -> _Tensors_co: ...
class _RelativeEntropy(_RelativeEntropyCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _RelativeEntropyCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _RelativeEntropyCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, log_target: bool = False) -> Self: ...

class _KlDivCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, from_probabilities: bool = False,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        from_probabilities: bool = False,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        from_probabilities: bool = False,
    ) -> _Tensors_co: ...
class _KlDiv(_KlDivCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _KlDivCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _KlDivCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, from_probabilities: bool = False) -> Self: ...

class _JsDivergenceCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, beta: _ArrayParameter = 0.5,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        beta: _ArrayParameter = 0.5,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        beta: _TensorParameter = 0.5,
    ) -> _Tensors_co: ...
class _JsDivergence(_JsDivergenceCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _JsDivergenceCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _JsDivergenceCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, beta: _Parameter = 0.5) -> Self: ...

class _DistillationCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, temperature: _ArrayParameter = 2.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        temperature: _ArrayParameter = 2.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        temperature: _TensorParameter = 2.0,
    ) -> _Tensors_co: ...
class _Distillation(_DistillationCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _DistillationCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _DistillationCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, temperature: _Parameter = 2.0) -> Self: ...

class _CosineEmbeddingCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, first: _Values, second: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, zero_one: bool = False, margin: _ArrayParameter = 0.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, first: _Values, second: _Values, target: _Values, *, reduction: Literal["none"],
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, zero_one: bool = False, margin: _ArrayParameter = 0.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, first: Tensor, second: Tensor, target: Tensor, *, reduction: _Reduction = "mean",
        weight: Tensor | None = None, mask: Tensor | None = None, divisor: _TensorParameter | None = None,
        axis: int = -1, zero_one: bool = False, margin: _TensorParameter = 0.0,
    ) -> _Tensors_co: ...
class _CosineEmbedding(_CosineEmbeddingCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _CosineEmbeddingCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _CosineEmbeddingCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, margin: _Parameter = 0.0) -> Self: ...

class _ContrastivePairCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, first: _Values, second: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, zero_one: bool = False, margin: _ArrayParameter = 1.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, first: _Values, second: _Values, target: _Values, *, reduction: Literal["none"],
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, zero_one: bool = False, margin: _ArrayParameter = 1.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, first: Tensor, second: Tensor, target: Tensor, *, reduction: _Reduction = "mean",
        weight: Tensor | None = None, mask: Tensor | None = None, divisor: _TensorParameter | None = None,
        axis: int = -1, zero_one: bool = False, margin: _TensorParameter = 1.0,
    ) -> _Tensors_co: ...
class _ContrastivePair(_ContrastivePairCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _ContrastivePairCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _ContrastivePairCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, margin: _Parameter = 1.0) -> Self: ...

class _TripletMarginCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, anchor: _Values, positive: _Values, negative: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, margin: _ArrayParameter = 1.0, p: _ArrayParameter = 2.0, swap: bool = False,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, anchor: _Values, positive: _Values, negative: _Values, *, reduction: Literal["none"],
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, margin: _ArrayParameter = 1.0, p: _ArrayParameter = 2.0, swap: bool = False,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, anchor: Tensor, positive: Tensor, negative: Tensor, *, reduction: _Reduction = "mean",
        weight: Tensor | None = None, mask: Tensor | None = None, divisor: _TensorParameter | None = None,
        axis: int = -1, margin: _TensorParameter = 1.0, p: _TensorParameter = 2.0, swap: bool = False,
    ) -> _Tensors_co: ...
class _TripletMargin(_TripletMarginCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _TripletMarginCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _TripletMarginCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, margin: _Parameter = 1.0, p: _Parameter = 2.0, swap: bool = False) -> Self: ...

class _InfoNceCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, embeddings: _Values, labels: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        temperature: _ArrayParameter = 0.07,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, embeddings: _Values, labels: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, temperature: _ArrayParameter = 0.07,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, embeddings: Tensor, labels: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, temperature: _TensorParameter = 0.07,
    ) -> _Tensors_co: ...
class _InfoNce(_InfoNceCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _InfoNceCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _InfoNceCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, temperature: _Parameter = 0.07) -> Self: ...

class _SupconCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, embeddings: _Values, labels: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        temperature: _ArrayParameter = 0.1,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, embeddings: _Values, labels: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, temperature: _ArrayParameter = 0.1,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, embeddings: Tensor, labels: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, temperature: _TensorParameter = 0.1,
    ) -> _Tensors_co: ...
class _Supcon(_SupconCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _SupconCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _SupconCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, temperature: _Parameter = 0.1) -> Self: ...

class _CircleCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, embeddings: _Values, labels: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        margin: _ArrayParameter = 0.25, scale: _ArrayParameter = 256.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, embeddings: _Values, labels: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, margin: _ArrayParameter = 0.25,
        scale: _ArrayParameter = 256.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, embeddings: Tensor, labels: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, margin: _TensorParameter = 0.25,
        scale: _TensorParameter = 256.0,
    ) -> _Tensors_co: ...
class _Circle(_CircleCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _CircleCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _CircleCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, margin: _Parameter = 0.25, scale: _Parameter = 256.0) -> Self: ...

class _SigmoidFocalCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        label_smoothing: float = 0.0, ignore_index: int | None = None, gamma: _ArrayParameter = 2.0,
        alpha: _ArrayParameter | None = None,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, gamma: _ArrayParameter = 2.0, alpha: _ArrayParameter | None = None,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, gamma: _TensorParameter = 2.0, alpha: _TensorParameter | None = None,
    ) -> _Tensors_co: ...
class _SigmoidFocal(_SigmoidFocalCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _SigmoidFocalCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _SigmoidFocalCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, gamma: _Parameter = 2.0, alpha: _Parameter | None = None) -> Self: ...

class _SoftmaxFocalCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, class_weight: _Values | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, gamma: _ArrayParameter = 2.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        class_weight: _Values | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        gamma: _ArrayParameter = 2.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        class_weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        gamma: _TensorParameter = 2.0,
    ) -> _Tensors_co: ...
class _SoftmaxFocal(_SoftmaxFocalCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _SoftmaxFocalCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _SoftmaxFocalCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, gamma: _Parameter = 2.0) -> Self: ...

class _AsymmetricCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        label_smoothing: float = 0.0, ignore_index: int | None = None, gamma_neg: _ArrayParameter = 4.0,
        gamma_pos: _ArrayParameter = 1.0, clip: _ArrayParameter = 0.05,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, gamma_neg: _ArrayParameter = 4.0, gamma_pos: _ArrayParameter = 1.0,
        clip: _ArrayParameter = 0.05,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, gamma_neg: _TensorParameter = 4.0, gamma_pos: _TensorParameter = 1.0,
        clip: _TensorParameter = 0.05,
    ) -> _Tensors_co: ...
class _Asymmetric(_AsymmetricCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _AsymmetricCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _AsymmetricCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, gamma_neg: _Parameter = 4.0, gamma_pos: _Parameter = 1.0, clip: _Parameter = 0.05) -> Self: ...

class _MultiQuantileCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, quantiles: _ArrayParameter | Sequence[float] | None = None,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        quantiles: _ArrayParameter | Sequence[float] | None = None,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        quantiles: _TensorParameter | Sequence[float] | None = None,
    ) -> _Tensors_co: ...
class _MultiQuantile(_MultiQuantileCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _MultiQuantileCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _MultiQuantileCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, quantiles: _Parameter | Sequence[float] | None = None) -> Self: ...

class _CrpsEnsembleCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, fair: bool = False,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1, fair: bool = False,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1, fair: bool = False,
    ) -> _Tensors_co: ...
class _CrpsEnsemble(_CrpsEnsembleCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _CrpsEnsembleCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _CrpsEnsembleCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, fair: bool = False) -> Self: ...

class _SsimCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        window: int = 11, sigma: float | None = 1.5, data_range: _ArrayParameter = 1.0, k1: _ArrayParameter = 0.01,
        k2: _ArrayParameter = 0.03,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, window: int = 11,
        sigma: float | None = 1.5, data_range: _ArrayParameter = 1.0, k1: _ArrayParameter = 0.01,
        k2: _ArrayParameter = 0.03,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, window: int = 11,
        sigma: float | None = 1.5, data_range: _TensorParameter = 1.0, k1: _TensorParameter = 0.01,
        k2: _TensorParameter = 0.03,
    ) -> _Tensors_co: ...
class _Ssim(_SsimCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _SsimCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _SsimCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, data_range: _Parameter = 1.0, k1: _Parameter = 0.01, k2: _Parameter = 0.03) -> Self: ...

class _TotalVariationCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, *, reduction: Literal["mean", "sum"] = "mean", weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, p: _ArrayParameter = 1.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, p: _ArrayParameter = 1.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, p: _TensorParameter = 1.0,
    ) -> _Tensors_co: ...
class _TotalVariation(_TotalVariationCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _TotalVariationCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _TotalVariationCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, p: _Parameter = 1.0) -> Self: ...

class _PoissonNllCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        log_input: bool = True, full: bool = False, eps: _ArrayParameter = 1e-08,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, log_input: bool = True,
        full: bool = False, eps: _ArrayParameter = 1e-08,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, log_input: bool = True,
        full: bool = False, eps: _TensorParameter = 1e-08,
    ) -> _Tensors_co: ...
class _PoissonNll(_PoissonNllCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _PoissonNllCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _PoissonNllCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, log_input: bool = True, full: bool = False, eps: _Parameter = 1e-08) -> Self: ...

class _NegativeBinomialNllCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        dispersion: _ArrayParameter = 1.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, dispersion: _ArrayParameter = 1.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, dispersion: _TensorParameter = 1.0,
    ) -> _Tensors_co: ...
class _NegativeBinomialNll(_NegativeBinomialNllCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _NegativeBinomialNllCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _NegativeBinomialNllCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, dispersion: _Parameter = 1.0) -> Self: ...

class _GaussianNllCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, variance: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        full: bool = False, eps: _ArrayParameter = 1e-06,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, variance: _Values, *, reduction: Literal["none"],
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        full: bool = False, eps: _ArrayParameter = 1e-06,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, variance: Tensor, *, reduction: _Reduction = "mean",
        weight: Tensor | None = None, mask: Tensor | None = None, divisor: _TensorParameter | None = None,
        full: bool = False, eps: _TensorParameter = 1e-06,
    ) -> _Tensors_co: ...
class _GaussianNll(_GaussianNllCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _GaussianNllCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _GaussianNllCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, full: bool = False, eps: _Parameter = 1e-06) -> Self: ...

class _CrpsGaussianCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, variance: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, variance: _Values, *, reduction: Literal["none"],
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, variance: Tensor, *, reduction: _Reduction = "mean",
        weight: Tensor | None = None, mask: Tensor | None = None, divisor: _TensorParameter | None = None,
    ) -> _Tensors_co: ...
class _CrpsGaussian(_CrpsGaussianCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _CrpsGaussianCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _CrpsGaussianCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self) -> Self: ...

class _EvidenceCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, evidence: _Values, shape: _Values, scale: _Values, *,
        reduction: Literal["mean", "sum"] = "mean", weight: _Values | None = None, mask: _Values | None = None,
        divisor: _ArrayParameter | None = None,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, evidence: _Values, shape: _Values, scale: _Values, *,
        reduction: Literal["none"], weight: _Values | None = None, mask: _Values | None = None,
        divisor: _ArrayParameter | None = None,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, evidence: Tensor, shape: Tensor, scale: Tensor, *,
        reduction: _Reduction = "mean", weight: Tensor | None = None, mask: Tensor | None = None,
        divisor: _TensorParameter | None = None,
    ) -> _Tensors_co: ...
class _Evidence(_EvidenceCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _EvidenceCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _EvidenceCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self) -> Self: ...

class _RegressionCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None,
    ) -> _Tensors_co: ...
class _Regression(_RegressionCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _RegressionCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _RegressionCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self) -> Self: ...

class _TweedieDevianceCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        power: _ArrayParameter = 1.5,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, power: _ArrayParameter = 1.5,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, power: _TensorParameter = 1.5,
    ) -> _Tensors_co: ...
class _TweedieDeviance(_TweedieDevianceCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _TweedieDevianceCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _TweedieDevianceCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, power: _Parameter = 1.5) -> Self: ...

class _ZeroInflatedPoissonNllCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, zero_logit: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, zero_logit: _Values, *, reduction: Literal["none"],
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, zero_logit: Tensor, *, reduction: _Reduction = "mean",
        weight: Tensor | None = None, mask: Tensor | None = None, divisor: _TensorParameter | None = None,
    ) -> _Tensors_co: ...
class _ZeroInflatedPoissonNll(_ZeroInflatedPoissonNllCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _ZeroInflatedPoissonNllCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _ZeroInflatedPoissonNllCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self) -> Self: ...

class _MarginCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        zero_one: bool = False,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, zero_one: bool = False,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, zero_one: bool = False,
    ) -> _Tensors_co: ...
class _Margin(_MarginCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _MarginCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _MarginCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self) -> Self: ...

class _HingeEmbeddingCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        zero_one: bool = False, margin: _ArrayParameter = 1.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, zero_one: bool = False,
        margin: _ArrayParameter = 1.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, zero_one: bool = False,
        margin: _TensorParameter = 1.0,
    ) -> _Tensors_co: ...
class _HingeEmbedding(_HingeEmbeddingCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _HingeEmbeddingCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _HingeEmbeddingCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, margin: _Parameter = 1.0) -> Self: ...

class _MarginRankingCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, first: _Values, second: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        zero_one: bool = False, margin: _ArrayParameter = 0.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, first: _Values, second: _Values, target: _Values, *, reduction: Literal["none"],
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        zero_one: bool = False, margin: _ArrayParameter = 0.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, first: Tensor, second: Tensor, target: Tensor, *, reduction: _Reduction = "mean",
        weight: Tensor | None = None, mask: Tensor | None = None, divisor: _TensorParameter | None = None,
        zero_one: bool = False, margin: _TensorParameter = 0.0,
    ) -> _Tensors_co: ...
class _MarginRanking(_MarginRankingCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _MarginRankingCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _MarginRankingCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, margin: _Parameter = 0.0) -> Self: ...

class _MulticlassHingeCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, class_weight: _Values | None = None, label_smoothing: float = 0.0,
        ignore_index: int | None = None, form: Literal["crammer_singer", "weston_watkins"] = "crammer_singer",
        margin: _ArrayParameter = 1.0, p: Literal[1, 2] = 1,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        class_weight: _Values | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        form: Literal["crammer_singer", "weston_watkins"] = "crammer_singer", margin: _ArrayParameter = 1.0,
        p: Literal[1, 2] = 1,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        class_weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
        form: Literal["crammer_singer", "weston_watkins"] = "crammer_singer", margin: _TensorParameter = 1.0,
        p: Literal[1, 2] = 1,
    ) -> _Tensors_co: ...
class _MulticlassHinge(_MulticlassHingeCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _MulticlassHingeCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _MulticlassHingeCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(
        self, *, form: Literal["crammer_singer", "weston_watkins"] = "crammer_singer", margin: _Parameter = 1.0,
        p: Literal[1, 2] = 1,
    ) -> Self: ...

class _MultilabelMarginCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, margin: _ArrayParameter = 1.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        margin: _ArrayParameter = 1.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        margin: _TensorParameter = 1.0,
    ) -> _Tensors_co: ...
class _MultilabelMargin(_MultilabelMarginCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _MultilabelMarginCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _MultilabelMarginCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, margin: _Parameter = 1.0) -> Self: ...

class _GradesCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, ignore_index: int | None = None,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        ignore_index: int | None = None,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        ignore_index: int | None = None,
    ) -> _Tensors_co: ...
class _Grades(_GradesCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _GradesCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _GradesCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self) -> Self: ...

class _DiceCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, mode: Literal["multiclass", "multilabel"] = "multiclass",
        over: Literal["sample", "batch", "all"] = "sample", from_probabilities: bool = False,
        class_weight: _Values | None = None, ignore_index: int | None = None, smooth: _ArrayParameter = 0.0,
        squared: bool = False,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        mode: Literal["multiclass", "multilabel"] = "multiclass", over: Literal["sample", "batch", "all"] = "sample",
        from_probabilities: bool = False, class_weight: _Values | None = None, ignore_index: int | None = None,
        smooth: _ArrayParameter = 0.0, squared: bool = False,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        mode: Literal["multiclass", "multilabel"] = "multiclass", over: Literal["sample", "batch", "all"] = "sample",
        from_probabilities: bool = False, class_weight: Tensor | None = None, ignore_index: int | None = None,
        smooth: _TensorParameter = 0.0, squared: bool = False,
    ) -> _Tensors_co: ...
class _Dice(_DiceCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _DiceCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _DiceCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, smooth: _Parameter = 0.0, squared: bool = False) -> Self: ...

class _OverlapCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, mode: Literal["multiclass", "multilabel"] = "multiclass",
        over: Literal["sample", "batch", "all"] = "sample", from_probabilities: bool = False,
        class_weight: _Values | None = None, ignore_index: int | None = None,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        mode: Literal["multiclass", "multilabel"] = "multiclass", over: Literal["sample", "batch", "all"] = "sample",
        from_probabilities: bool = False, class_weight: _Values | None = None, ignore_index: int | None = None,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        mode: Literal["multiclass", "multilabel"] = "multiclass", over: Literal["sample", "batch", "all"] = "sample",
        from_probabilities: bool = False, class_weight: Tensor | None = None, ignore_index: int | None = None,
    ) -> _Tensors_co: ...
class _Overlap(_OverlapCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _OverlapCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _OverlapCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self) -> Self: ...

class _TverskyCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, mode: Literal["multiclass", "multilabel"] = "multiclass",
        over: Literal["sample", "batch", "all"] = "sample", from_probabilities: bool = False,
        class_weight: _Values | None = None, ignore_index: int | None = None, alpha: _ArrayParameter = 0.5,
        beta: _ArrayParameter = 0.5,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        mode: Literal["multiclass", "multilabel"] = "multiclass", over: Literal["sample", "batch", "all"] = "sample",
        from_probabilities: bool = False, class_weight: _Values | None = None, ignore_index: int | None = None,
        alpha: _ArrayParameter = 0.5, beta: _ArrayParameter = 0.5,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        mode: Literal["multiclass", "multilabel"] = "multiclass", over: Literal["sample", "batch", "all"] = "sample",
        from_probabilities: bool = False, class_weight: Tensor | None = None, ignore_index: int | None = None,
        alpha: _TensorParameter = 0.5, beta: _TensorParameter = 0.5,
    ) -> _Tensors_co: ...
class _Tversky(_TverskyCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _TverskyCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _TverskyCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, alpha: _Parameter = 0.5, beta: _Parameter = 0.5) -> Self: ...

class _FocalTverskyCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, mode: Literal["multiclass", "multilabel"] = "multiclass",
        over: Literal["sample", "batch", "all"] = "sample", from_probabilities: bool = False,
        class_weight: _Values | None = None, ignore_index: int | None = None, gamma: _ArrayParameter = 0.75,
        alpha: _ArrayParameter = 0.3, beta: _ArrayParameter = 0.7,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        mode: Literal["multiclass", "multilabel"] = "multiclass", over: Literal["sample", "batch", "all"] = "sample",
        from_probabilities: bool = False, class_weight: _Values | None = None, ignore_index: int | None = None,
        gamma: _ArrayParameter = 0.75, alpha: _ArrayParameter = 0.3, beta: _ArrayParameter = 0.7,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        mode: Literal["multiclass", "multilabel"] = "multiclass", over: Literal["sample", "batch", "all"] = "sample",
        from_probabilities: bool = False, class_weight: Tensor | None = None, ignore_index: int | None = None,
        gamma: _TensorParameter = 0.75, alpha: _TensorParameter = 0.3, beta: _TensorParameter = 0.7,
    ) -> _Tensors_co: ...
class _FocalTversky(_FocalTverskyCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _FocalTverskyCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _FocalTverskyCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, gamma: _Parameter = 0.75, alpha: _Parameter = 0.3, beta: _Parameter = 0.7) -> Self: ...

class _GeneralizedDiceCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, mode: Literal["multiclass", "multilabel"] = "multiclass",
        over: Literal["sample", "batch", "all"] = "sample", from_probabilities: bool = False,
        ignore_index: int | None = None, weighting: Literal["square", "simple", "uniform"] = "square",
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        mode: Literal["multiclass", "multilabel"] = "multiclass", over: Literal["sample", "batch", "all"] = "sample",
        from_probabilities: bool = False, ignore_index: int | None = None,
        weighting: Literal["square", "simple", "uniform"] = "square",
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        mode: Literal["multiclass", "multilabel"] = "multiclass", over: Literal["sample", "batch", "all"] = "sample",
        from_probabilities: bool = False, ignore_index: int | None = None,
        weighting: Literal["square", "simple", "uniform"] = "square",
    ) -> _Tensors_co: ...
class _GeneralizedDice(_GeneralizedDiceCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _GeneralizedDiceCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _GeneralizedDiceCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, weighting: Literal["square", "simple", "uniform"] = "square") -> Self: ...

class _LovaszHingeCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        axis: int = -1, over: Literal["sample", "batch", "all"] = "sample", class_weight: _Values | None = None,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, axis: int = -1,
        over: Literal["sample", "batch", "all"] = "sample", class_weight: _Values | None = None,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, axis: int = -1,
        over: Literal["sample", "batch", "all"] = "sample", class_weight: Tensor | None = None,
    ) -> _Tensors_co: ...
class _LovaszHinge(_LovaszHingeCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _LovaszHingeCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _LovaszHingeCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self) -> Self: ...

class _PreferenceBetaCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, chosen: _Values, rejected: _Values, reference_chosen: _Values, reference_rejected: _Values, *,
        reduction: Literal["mean", "sum"] = "mean", weight: _Values | None = None, mask: _Values | None = None,
        divisor: _ArrayParameter | None = None, beta: _ArrayParameter = 0.1,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, chosen: _Values, rejected: _Values, reference_chosen: _Values, reference_rejected: _Values, *,
        reduction: Literal["none"], weight: _Values | None = None, mask: _Values | None = None,
        divisor: _ArrayParameter | None = None, beta: _ArrayParameter = 0.1,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, chosen: Tensor, rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor, *,
        reduction: _Reduction = "mean", weight: Tensor | None = None, mask: Tensor | None = None,
        divisor: _TensorParameter | None = None, beta: _TensorParameter = 0.1,
    ) -> _Tensors_co: ...
class _PreferenceBeta(_PreferenceBetaCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _PreferenceBetaCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _PreferenceBetaCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, beta: _Parameter = 0.1) -> Self: ...

class _SimpoCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, chosen: _Values, rejected: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        beta: _ArrayParameter = 2.0, gamma: _ArrayParameter = 0.5,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, chosen: _Values, rejected: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, beta: _ArrayParameter = 2.0,
        gamma: _ArrayParameter = 0.5,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, chosen: Tensor, rejected: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, beta: _TensorParameter = 2.0,
        gamma: _TensorParameter = 0.5,
    ) -> _Tensors_co: ...
class _Simpo(_SimpoCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _SimpoCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _SimpoCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, beta: _Parameter = 2.0, gamma: _Parameter = 0.5) -> Self: ...

class _OrpoCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, chosen: _Values, rejected: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        beta: _ArrayParameter = 0.1,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, chosen: _Values, rejected: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, beta: _ArrayParameter = 0.1,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, chosen: Tensor, rejected: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, beta: _TensorParameter = 0.1,
    ) -> _Tensors_co: ...
class _Orpo(_OrpoCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _OrpoCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _OrpoCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, beta: _Parameter = 0.1) -> Self: ...

class _KtoCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, reference: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        zero_one: bool = False, beta: _ArrayParameter = 0.1, kl: _ArrayParameter = 0.0,
        desirable: _ArrayParameter = 1.0, undesirable: _ArrayParameter = 1.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, reference: _Values, target: _Values, *, reduction: Literal["none"],
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        zero_one: bool = False, beta: _ArrayParameter = 0.1, kl: _ArrayParameter = 0.0,
        desirable: _ArrayParameter = 1.0, undesirable: _ArrayParameter = 1.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, reference: Tensor, target: Tensor, *, reduction: _Reduction = "mean",
        weight: Tensor | None = None, mask: Tensor | None = None, divisor: _TensorParameter | None = None,
        zero_one: bool = False, beta: _TensorParameter = 0.1, kl: _TensorParameter = 0.0,
        desirable: _TensorParameter = 1.0, undesirable: _TensorParameter = 1.0,
    ) -> _Tensors_co: ...
class _Kto(_KtoCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _KtoCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _KtoCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(
        self, *, beta: _Parameter = 0.1, kl: _Parameter = 0.0, desirable: _Parameter = 1.0,
        undesirable: _Parameter = 1.0,
    ) -> Self: ...

class _PpoClipCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, reference: _Values, advantage: _Values, *,
        reduction: Literal["mean", "sum"] = "mean", weight: _Values | None = None, mask: _Values | None = None,
        divisor: _ArrayParameter | None = None, normalizer: Literal["token", "sequence", "batch"] = "token",
        eps_low: _ArrayParameter = 0.2, eps_high: _ArrayParameter = 0.2,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, reference: _Values, advantage: _Values, *, reduction: Literal["none"],
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        normalizer: Literal["token", "sequence", "batch"] = "token", eps_low: _ArrayParameter = 0.2,
        eps_high: _ArrayParameter = 0.2,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, reference: Tensor, advantage: Tensor, *, reduction: _Reduction = "mean",
        weight: Tensor | None = None, mask: Tensor | None = None, divisor: _TensorParameter | None = None,
        normalizer: Literal["token", "sequence", "batch"] = "token", eps_low: _TensorParameter = 0.2,
        eps_high: _TensorParameter = 0.2,
    ) -> _Tensors_co: ...
class _PpoClip(_PpoClipCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _PpoClipCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _PpoClipCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, eps_low: _Parameter = 0.2, eps_high: _Parameter = 0.2) -> Self: ...

class _RegressionDeltaCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        delta: _ArrayParameter = 1.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, delta: _ArrayParameter = 1.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, delta: _TensorParameter = 1.0,
    ) -> _Tensors_co: ...
class _RegressionDelta(_RegressionDeltaCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _RegressionDeltaCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _RegressionDeltaCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, delta: _Parameter = 1.0) -> Self: ...

class _SmoothL1Call(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        beta: _ArrayParameter = 1.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, beta: _ArrayParameter = 1.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, beta: _TensorParameter = 1.0,
    ) -> _Tensors_co: ...
class _SmoothL1(_SmoothL1Call[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _SmoothL1Call[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _SmoothL1Call[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, beta: _Parameter = 1.0) -> Self: ...

class _PinballCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        quantile: _ArrayParameter = 0.5,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, quantile: _ArrayParameter = 0.5,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, quantile: _TensorParameter = 0.5,
    ) -> _Tensors_co: ...
class _Pinball(_PinballCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _PinballCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _PinballCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, quantile: _Parameter = 0.5) -> Self: ...

class _CharbonnierCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        eps: _ArrayParameter = 0.001,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, eps: _ArrayParameter = 0.001,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, eps: _TensorParameter = 0.001,
    ) -> _Tensors_co: ...
class _Charbonnier(_CharbonnierCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _CharbonnierCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _CharbonnierCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, eps: _Parameter = 0.001) -> Self: ...

class _BarronGeneralCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        alpha: _ArrayParameter = 1.0, c: _ArrayParameter = 1.0,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, alpha: _ArrayParameter = 1.0,
        c: _ArrayParameter = 1.0,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, alpha: _TensorParameter = 1.0,
        c: _TensorParameter = 1.0,
    ) -> _Tensors_co: ...
class _BarronGeneral(_BarronGeneralCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _BarronGeneralCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _BarronGeneralCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, alpha: _Parameter = 1.0, c: _Parameter = 1.0) -> Self: ...

class _MapeCall(Protocol[_Mean_co, _Each_co, _Tensors_co]):
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["mean", "sum"] = "mean",
        weight: _Values | None = None, mask: _Values | None = None, divisor: _ArrayParameter | None = None,
        eps: _ArrayParameter = 1e-07,
    ) -> _Mean_co: ...
    @overload
    def __call__(
        self, prediction: _Values, target: _Values, *, reduction: Literal["none"], weight: _Values | None = None,
        mask: _Values | None = None, divisor: _ArrayParameter | None = None, eps: _ArrayParameter = 1e-07,
    ) -> _Each_co: ...
    @overload
    def __call__(
        self, prediction: Tensor, target: Tensor, *, reduction: _Reduction = "mean", weight: Tensor | None = None,
        mask: Tensor | None = None, divisor: _TensorParameter | None = None, eps: _TensorParameter = 1e-07,
    ) -> _Tensors_co: ...
class _Mape(_MapeCall[_Floating, _Array, Tensor], Loss):
    @property
    def value_and_slope(self) -> _MapeCall[_FloatingAndArray, _TwoArrays, _TwoTensors]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
    @property
    def slope(self) -> _MapeCall[_Array, _Array, Tensor]:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
    def with_(self, *, eps: _Parameter = 1e-07) -> Self: ...

glu: _Glu
"""Gated linear unit: the value times the sigmoid of the gate, the last half of the row."""
swiglu: _Gate
"""Swish-gated linear unit: the value times the silu of the gate, the first half of the row."""
geglu: _Geglu
"""GELU-gated linear unit: the value times the gelu of the gate, the first half of the row."""
reglu: _Gate
"""Rectified gated linear unit: the value times the gate where that is positive, else 0; the gate comes first."""
snake: _ActivationAlpha
"""Snake: the input plus a ripple of 1/alpha that never makes it fall; at alpha = 0 the input itself."""
sine: _Sine
"""Sine of omega times the input, for networks that represent signals; SIREN has an omega of 30."""
relu6: _Activation
"""ReLU capped at 6: the input, confined to [0, 6]; for arithmetic of few bits."""
hard_tanh: _HardTanh
"""Hard tanh: the input, confined to an interval."""
hard_sigmoid: _HardSigmoid
"""Hard sigmoid: a line through one half at 0, confined to [0, 1]."""
hard_swish: _Activation
"""Hard swish: the input times its hard sigmoid."""
relu_squared: _Activation
"""Squared ReLU: the input squared where positive, else 0."""
star_relu: _StarRelu
"""StarReLU: the squared ReLU, scaled and shifted."""
smelu: _ActivationBeta
"""Smooth ReLU, or sparse plus: ReLU with a parabola between −beta and beta."""
sparse_plus: _ActivationBeta
"""Smooth ReLU, or sparse plus: ReLU with a parabola between −beta and beta."""
rational: _Rational
"""Padé activation unit, or PAU: a polynomial over 1 plus the sizes of another's terms, both of learnt coefficients."""
pau: _Rational
"""Padé activation unit, or PAU: a polynomial over 1 plus the sizes of another's terms, both of learnt coefficients."""
linear: _Activation
"""The input itself: for regression outputs and bottlenecks."""
identity: _Activation
"""The input itself: for regression outputs and bottlenecks."""
relu: _Activation
"""Rectified linear unit: the input where positive, else 0."""
leaky_relu: _LeakyRelu
"""Leaky ReLU: the input, times a small slope where negative, so that no unit dies."""
prelu: _Prelu
"""Parametric ReLU: the input, times a learnt slope where negative."""
rrelu: _Rrelu
"""Randomised leaky ReLU: the input, times a slope drawn between two bounds where negative."""
threshold: _Threshold
"""Threshold: the input above a threshold, else a fixed value."""
elu: _ActivationAlpha
"""Exponential linear unit: the input where positive, else alpha times (e to the input, less 1)."""
celu: _ActivationAlpha
"""Continuously differentiable ELU: alpha stretches the exponential both ways, so that it has no corner."""
selu: _Activation
"""Scaled ELU: an ELU with constants that keep mean 0 and variance 1 through the layers."""
softshrink: _ActivationLambd
"""Soft shrinkage: the input, moved towards 0 by up to lambd."""
hardshrink: _ActivationLambd
"""Hard shrinkage: the input, or 0 where no larger than lambd."""
tanhshrink: _Activation
"""Tanh shrinkage: the input less its hyperbolic tangent."""
sigmoid: _Activation
"""Logistic sigmoid: any number to one between 0 and 1, the probability of a logit."""
tanh: _Activation
"""Hyperbolic tangent: any number to one between −1 and 1, centred at 0."""
dynamic_tanh: _DynamicTanh
"""Dynamic tanh, or DyT: the hyperbolic tangent of alpha times the input, in the place of a normalisation."""
dyt: _DynamicTanh
"""Dynamic tanh, or DyT: the hyperbolic tangent of alpha times the input, in the place of a normalisation."""
softplus: _ActivationBeta
"""Softplus: a smooth ReLU, the integral of the sigmoid."""
log_sigmoid: _Activation
"""Logarithm of the sigmoid: the log-probability of a logit."""
softsign: _Activation
"""Softsign: any number to one between −1 and 1, more slowly than tanh."""
squareplus: _Squareplus
"""Squareplus: a smooth ReLU without exponentials, half of a hyperbola."""
softmax: _Map
"""Softmax: a row of logits to probabilities."""
log_softmax: _Map
"""Logarithm of the softmax: logits to log-probabilities."""
sparsemax: _Map
"""Sparsemax: a row of scores to the nearest probabilities, many exactly 0."""
gumbel_softmax: _GumbelSoftmax
"""Gumbel-softmax: a row of logits to a random choice of an entry, blurred by a temperature."""
solu: _Map
"""Softmax linear unit: each entry of a row times its softmax, so that few units answer; mostly normalised next."""
gelu_tanh: _Activation
"""GELU's tanh form, with which many language models were trained, up to 4.7e-4 from GELU."""
gelu: _Gelu
"""Gaussian error linear unit: the input times the probability of a normal draw below it."""
silu: _ActivationBeta
"""Sigmoid linear unit, or swish: the input times the sigmoid of beta times it."""
swish: _ActivationBeta
"""Sigmoid linear unit, or swish: the input times the sigmoid of beta times it."""
quick_gelu: _Activation
"""GELU's sigmoid form: the input times the sigmoid of 1.702 times it, as in CLIP; up to 0.02 from GELU."""
mish: _Activation
"""Mish: the input times the hyperbolic tangent of its softplus."""
telu: _Activation
"""Hyperbolic tangent exponential linear unit: the input times the hyperbolic tangent of its exponential."""
logish: _Activation
"""Logish: the input times the logarithm of 1 plus its sigmoid."""
softcap: _Softcap
"""Soft cap: any number to one between −cap and cap, almost unchanged if small beside cap."""
xielu: _Xielu
"""xIELU, a trainable ELU integrated: a parabola above 0, a line bent by an exponential below."""
exponential: _Activation
"""The exponential: any number to a positive one, for rates and variances."""
giou: _Boxes
"""Generalized IoU loss: the share of the union that only one box covers, plus the empty share of their hull."""
diou: _Boxes
"""Distance IoU loss: 1 − IoU plus the squared distance of the centres, in diagonals of the box around both."""
ciou: _Boxes
"""Complete IoU loss: the distance IoU loss plus a cost of another aspect where the boxes overlap."""
categorical_cross_entropy: _CategoricalCrossEntropy
"""Categorical cross-entropy: the surprise, −log p, at the right class, of rows of probabilities."""
cross_entropy: _CrossEntropy
"""Softmax cross-entropy: the surprise, −log p, at the right class, of rows of logits."""
nll: _Classification
"""Negative log-likelihood: minus the entry of the right class, of rows of log-probabilities."""
z_loss: _Classification
"""Z-loss: the square of the logarithm of the sum of exponentials, of rows of logits, whatever their target."""
poly1: _Poly1
"""Cross-entropy plus epsilon times 1 − p of the right class, of rows of logits."""
generalized_cross_entropy: _GeneralizedCrossEntropy
"""Generalized cross-entropy: (1 − p^q) / q of the right class, of rows of logits; for data with wrong labels."""
symmetric_cross_entropy: _SymmetricCrossEntropy
"""Cross-entropy, and the cross-entropy of the target under the prediction, of rows of logits; for wrong labels."""
logit_adjusted: _LogitAdjusted
"""Cross-entropy of logits plus tau times the logarithm of each class's prior, so that rare classes lead by more."""
margin_softmax: _MarginSoftmax
"""Cross-entropy of scaled cosines with a margin, which widens the right class's angle or lowers its cosine."""
binary_cross_entropy: _BinaryCrossEntropy
"""Binary cross-entropy: the surprise at a yes or no, of logits; targets between 0 and 1 are probabilities of yes."""
relative_entropy: _RelativeEntropy
"""One term of a Kullback-Leibler divergence: target · (log target − prediction), of log-probabilities."""
kl_div: _KlDiv
"""Kullback-Leibler divergence of the prediction from the target, of rows of logits."""
js_divergence: _JsDivergence
"""Jensen-Shannon divergence: how far target and softmax of the logits are from their mixture, by rows."""
distillation: _Distillation
"""Kullback-Leibler divergence of a student's softened softmax from a teacher's, of rows of their logits."""
cosine: _Boxes
"""Cosine distance: 1 less the cosine of the angle between two vectors, whatever their lengths."""
center: _Boxes
"""Center loss: half the squared distance of a sample's features from the center of its class."""
cosine_embedding: _CosineEmbedding
"""Cosine distance for vectors that belong together (1), the cosine beyond a margin for others (−1)."""
contrastive_pair: _ContrastivePair
"""Contrastive loss: half the squared distance of vectors that belong together, else half (margin − distance)²."""
triplet_margin: _TripletMargin
"""Triplet loss: the positive's distance from the anchor, less the negative's, plus a margin; at least 0."""
info_nce: _InfoNce
"""Cross-entropy of picking a positive among the negatives by its cosine over a temperature; NT-Xent."""
nt_xent: _InfoNce
"""Cross-entropy of picking a positive among the negatives by its cosine over a temperature; NT-Xent."""
supcon: _Supcon
"""Cross-entropy of picking a positive among all others, positives too, by its cosine over a temperature."""
circle: _Circle
"""Circle loss: log(1 + Σ exp(scale·cost)) over pairs of a positive and a negative of an anchor, by their cosines."""
siglip: _Classification
"""Sigmoid loss of SigLIP: the binary cross-entropies of a row of logits, summed, with a yes for its partner alone."""
sigmoid_focal: _SigmoidFocal
"""Binary cross-entropy times the probability of being wrong to the power gamma, of logits."""
softmax_focal: _SoftmaxFocal
"""Cross-entropy times the probability of being wrong to the power gamma, of rows of logits."""
asymmetric: _Asymmetric
"""Focal cross-entropy of logits with an exponent for yes and for no, and no cost of a no below the clip."""
multi_quantile: _MultiQuantile
"""Quantile losses of a row: the mean size of residuals, times the level where a prediction is low, else 1 − level."""
crps_ensemble: _CrpsEnsemble
"""Continuous ranked probability score: the members' mean distance to the target, less half of the one among them."""
ssim: _Ssim
"""Structural dissimilarity, 1 − SSIM: how far means, contrasts and structures of windows of two images differ."""
total_variation: _TotalVariation
"""Total variation of an image: the size of the differences of each pixel from those below and on its right."""
poisson_nll: _PoissonNll
"""Poisson likelihood: how unlikely a count is if the prediction is the log of its rate."""
negative_binomial_nll: _NegativeBinomialNll
"""Negative binomial likelihood: how unlikely a count of large variance is if the prediction is the log of its rate."""
gaussian_nll: _GaussianNll
"""Gaussian likelihood: how unlikely the target is for that mean and variance."""
crps_gaussian: _CrpsGaussian
"""Continuous ranked probability score: how far a normal distribution is from the target, in the target's units."""
evidential_nll: _Evidence
"""Evidential likelihood: how unlikely the target is for a normal distribution of uncertain mean and variance."""
evidential_penalty: _Evidence
"""Evidential penalty: the size of the residual times all evidence, which is twice the mean's plus the shape."""
gamma_deviance: _Regression
"""Half the gamma deviance: how far off, in proportion, a positive target is if the prediction is its log."""
tweedie_deviance: _TweedieDeviance
"""Half the Tweedie deviance of amounts that are often 0, such as claims, if the prediction is their log."""
zero_inflated_poisson_nll: _ZeroInflatedPoissonNll
"""Zero-inflated Poisson likelihood: how unlikely a count is where a share of cases is 0 and the rest is Poisson."""
hinge: _Margin
"""Hinge loss: 1 less the margin, prediction times target, and 0 for a margin above 1."""
squared_hinge: _Margin
"""Squared hinge loss: the square of `hinge`."""
soft_margin: _Margin
"""Logistic loss: a hinge without a corner, log(1 + exp(−m)) of the margin m; binary cross-entropy for −1 and 1."""
hinge_embedding: _HingeEmbedding
"""Hinge embedding loss: a distance for target 1, its shortfall to the margin for target −1."""
margin_ranking: _MarginRanking
"""Margin ranking loss: how far the input to rank higher falls short of the other plus margin."""
multiclass_hinge: _MulticlassHinge
"""Multi-class hinge: the right class's shortfall to the worst rival plus margin, or summed over rivals."""
multilabel_margin: _MultilabelMargin
"""Multi-label hinge: the sum of each present class's shortfall to each absent one plus margin, divided by C."""
multilabel_soft_margin: _Boxes
"""Multi-label soft margin: the binary cross-entropy of each class, of logits, averaged over classes."""
coral: _Grades
"""CORAL: the binary cross-entropies of the steps from each grade to the next, summed; of rows of logits."""
corn: _Grades
"""CORN: the surprise at a grade that is reached step by step, until one fails; of rows of logits of the steps."""
ordinal_logistic: _Grades
"""Proportional odds: the surprise at a grade, of rows of logits that the grade is above 0, above 1 and so on."""
dice: _Dice
"""Dice loss: the share of a region and its prediction together where they disagree."""
jaccard: _Overlap
"""Jaccard loss, 1 − IoU: the share of the union of a region and its prediction where they disagree."""
tversky: _Tversky
"""Tversky loss: Dice with separate weights for false positives and false negatives."""
focal_tversky: _FocalTversky
"""Tversky loss to the power gamma: a gamma below 1 lifts small losses, a gamma above 1 lessens them."""
generalized_dice: _GeneralizedDice
"""Generalized Dice loss: Dice of all classes of a sample together, weighed by size to the power of −2."""
lovasz_softmax: _Overlap
"""Lovász-softmax loss: 1 − IoU, extended to probabilities by ranking the pixels of a region by their error."""
lovasz_hinge: _LovaszHinge
"""Lovász hinge: 1 − IoU, extended to logits by ranking the pixels of a region by 1 less their margin."""
dpo: _PreferenceBeta
"""DPO: the surprise, −log of a sigmoid, at beta times the lead of the preferred answer beyond the reference's."""
ipo: _PreferenceBeta
"""IPO: the squared difference of 1 / (2·beta) and the lead of the preferred answer beyond the reference's."""
simpo: _Simpo
"""SimPO: the surprise, −log of a sigmoid, at beta times the lead of the preferred answer, less a margin gamma."""
orpo: _Orpo
"""ORPO: minus the log-likelihood of the preferred answer, plus beta times the surprise at its odds over the other."""
kto: _Kto
"""KTO: a sigmoid of how far a good answer's lead over the reference is below kl, or a bad one's above it."""
ppo_clip: _PpoClip
"""PPO's clipped objective, negated: the advantage times how much likelier a token has become, within bounds."""
mse: _Regression
"""Mean squared error: the squared residual; it elicits the mean."""
half_mse: _Regression
"""Half the mean squared error, so that the slope is the residual."""
mae: _Regression
"""Mean absolute error: the size of the residual; it elicits the median and bears outliers."""
huber: _RegressionDelta
"""Huber loss: half the squared residual up to delta, linear beyond it."""
log_cosh: _Regression
"""Logarithm of the hyperbolic cosine: a smooth mean absolute error, half the squared residual near 0."""
smooth_l1: _SmoothL1
"""Smooth L1 loss: the size of the residual less half of beta; within beta a parabola."""
pinball: _Pinball
"""Quantile loss: the size of the residual, times quantile where the prediction is low, else 1 − quantile."""
charbonnier: _Charbonnier
"""Charbonnier loss: the size of the residual, rounded off within eps; eps is its least value."""
pseudo_huber: _RegressionDelta
"""Pseudo-Huber loss: half the squared residual near 0, delta times its size far beyond delta, all smooth."""
barron_general: _BarronGeneral
"""Barron's loss: half the squared residual within c, and beyond it bent the more, the lower alpha."""
mape: _Mape
"""Mean absolute percentage error, as a fraction: the size of the residual over the target's."""
msle: _Regression
"""Mean squared logarithmic error: the squared difference of log(1 + prediction) and log(1 + target)."""

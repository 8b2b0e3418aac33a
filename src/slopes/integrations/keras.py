"""Losses and activations for models of Keras 3, whose backend is PyTorch, JAX or NumPy."""

from __future__ import annotations

import inspect
from typing import Any

from slopes.extras import require

require("slopes.integrations.keras", "keras")

import keras  # noqa: E402

from slopes import card, catalogue  # noqa: E402
from slopes.integrations.options import check_options, keywords_of  # noqa: E402

#: options of losses that Keras has its own way for
OF_KERAS = ("reduction", "weight", "mask", "divisor", "ignore_index")


@keras.saving.register_keras_serializable(package="slopes")
class Loss(keras.losses.Loss):  # type: ignore[misc]
    """A loss of slopes with the conventions of Keras, ``model.compile(loss=Loss(slopes.huber, delta=2.0))``.

    `loss` may be a name. `options` are its parameters and keywords, such as ``label_smoothing=0.1``; `reduction`,
    `name` and `dtype` go to `keras.losses.Loss`. Keras weights the values by `sample_weight` and reduces them. There is
    one for each row, or each sample of images; a loss of entries is averaged over the last axis first.

    Targets have the shape of the prediction, labels its shape without the classes, and targets of forecasts its shape
    without the axis of a row; a last axis of length 1 may be added, or left out. Labels may be floating-point numbers,
    because Keras converts them. If the loss is in the catalogue, a model with it can be saved.

    Raises TypeError if `loss` is no loss of slopes of a prediction and a target with a value for each row or entry, and
    for an unknown option; LookupError for an unknown name; ValueError for a parameter outside its domain, and where the
    backend is neither PyTorch, JAX nor NumPy.
    """

    def __init__(
        self,
        loss: card.Loss | str,
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        found = catalogue.find(loss) if isinstance(loss, str) else loss
        if not isinstance(found, card.Loss) or len(found.kind.arguments) != 2 or not found.has_values:
            raise TypeError(
                "Loss: takes a loss of slopes of a prediction and a target with a value for each row or entry, "
                f"as in Loss(slopes.huber), got {_shown(found)}"
            )
        _check_backend("Loss")
        super().__init__(name=name or found.name, reduction=reduction, dtype=dtype)
        check_options("Loss", found, options, OF_KERAS, "rows are weighted, masked and left out by sample_weight")
        self.loss, self.options = found, _read_parameters(found, options)
        axis = inspect.signature(found).parameters.get("axis")
        self._axis = options.get("axis", axis.default if axis else -1)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return a value for each row."""
        shape, axis = y_pred.shape, self._axis % len(y_pred.shape)
        rows = (*shape[:axis], *shape[axis + 1 :])
        is_mask = self.loss.kind.has_regions and shape[axis] == 1
        if self.loss.kind.takes_integers and not is_mask and y_true.shape in (rows, (*rows, 1)):
            y_true = keras.ops.cast(keras.ops.reshape(y_true, rows), "int32")
        elif self.loss.kind.has_one_target_for_a_row:
            y_true = keras.ops.reshape(y_true, rows) if y_true.shape == (*rows, 1) else y_true
        elif shape == (*y_true.shape, 1):
            y_true = y_true[..., None]
        elif y_true.shape == (*shape, 1):
            y_true = y_true[..., 0]
        values = self.loss(y_pred, y_true, reduction="none", **self.options)
        if self.loss.kind.has_edges:
            values = self.loss.kind.without_edges(values, self.options)
            return keras.ops.mean(values, axis=tuple(range(1, len(values.shape))))
        return values if self.loss.rowwise or len(values.shape) < 2 else keras.ops.mean(values, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, the loss by its name; ValueError for a loss that is not of the catalogue."""
        return {**super().get_config(), "loss": _name_of(self.loss), **self.options}


@keras.saving.register_keras_serializable(package="slopes")
class Activation(keras.layers.Layer):  # type: ignore[misc]
    """A layer of an activation of slopes with its parameters, ``Activation(slopes.elu, alpha=0.5)``.

    An activation by itself goes wherever Keras takes a function: ``Dense(64, activation=slopes.mish)``. With a layer,
    the model can also be saved, if the activation is one of the catalogue. `activation` may be a name; `keywords` are
    its parameters and keywords, such as ``axis=-1`` for softmax, and the keywords of `keras.layers.Layer`.

    Raises TypeError if `activation` is no activation of slopes, LookupError for an unknown name; ValueError for a
    parameter outside its domain, for an unknown keyword, and where the backend is neither PyTorch, JAX nor NumPy.
    """

    def __init__(self, activation: card.Card | str, **keywords: Any) -> None:
        found = catalogue.find(activation) if isinstance(activation, str) else activation
        if not isinstance(found, card.Card) or isinstance(found, card.Loss):
            raise TypeError(
                f"Activation: takes an activation of slopes, as in Activation(slopes.mish), got {_shown(found)}"
            )
        _check_backend("Activation")
        known = keywords_of(found)
        super().__init__(**{name: value for name, value in keywords.items() if name not in known})
        self.supports_masking = True
        self.activation = found
        self.options = _read_parameters(found, {name: value for name, value in keywords.items() if name in known})

    def call(self, inputs: Any) -> Any:
        """Return the activation of the inputs."""
        return self.activation(inputs, **self.options)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, the activation by its name; ValueError for one that is not of the catalogue."""
        return {**super().get_config(), "activation": _name_of(self.activation), **self.options}


def _check_backend(name: str) -> None:
    backend = keras.backend.backend()
    if backend not in ("torch", "jax", "numpy"):
        raise ValueError(
            f"{name}: slopes computes with PyTorch, JAX or NumPy, and Keras with {backend}: set the environment "
            'variable KERAS_BACKEND to "torch" or "jax" before Keras is imported'
        )


def _read_parameters(found: card.Card, options: dict[str, Any]) -> dict[str, Any]:
    """The options, with parameters as the card keeps them: rows as tuples, which Keras can save."""
    parameters = {name: value for name, value in options.items() if name in found.parameters}
    bound = found.with_(**parameters).bound
    return options | {name: bound[name] for name in parameters}


def _name_of(found: card.Card) -> str:
    if found.bound:
        raise ValueError(
            f"{found.name} has bound parameters, which cannot be saved: give them to Loss or Activation as options"
        )
    if catalogue.CARDS.get(found.name) is not found:
        raise ValueError(
            f"{found.name} is not of the catalogue of slopes, so a model with it cannot be saved whole: save its "
            "weights by model.save_weights"
        )
    return found.name


def _shown(found: Any) -> str:
    return getattr(found, "name", None) or repr(found)

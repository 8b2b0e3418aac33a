"""Losses and activations in Keras, each a bug and its twin: `bug` and `twin` begin their names."""

import keras
from keras import ops


class bug_extreme_inputs_loss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        p = ops.sigmoid(y_pred)
        return -ops.mean(y_true * ops.log(p) + (1 - y_true) * ops.log(1 - p), axis=-1)


class twin_extreme_inputs_loss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.losses.binary_crossentropy(y_true, y_pred, from_logits=True)


def bug_extreme_inputs_softplus(x):
    return ops.log(1 + ops.exp(x))


def twin_extreme_inputs_softplus(x):
    return ops.logaddexp(x, 0.0 * x)


def bug_direction_loss(y_true, y_pred):
    return -ops.mean(ops.square(y_pred - y_true), axis=-1)


def twin_direction_loss(y_true, y_pred):
    return ops.mean(ops.square(y_pred - y_true), axis=-1)


class bug_connectivity_loss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.square(ops.round(y_pred) - y_true), axis=-1)


class twin_connectivity_loss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_pred - y_true), axis=-1)


class bug_score_space_loss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.losses.categorical_crossentropy(y_true, ops.softmax(y_pred), from_logits=True)


class twin_score_space_loss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.losses.categorical_crossentropy(y_true, y_pred, from_logits=True)


class bug_reduction_loss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.abs(y_pred - y_true))


class twin_reduction_loss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.abs(y_pred - y_true), axis=-1)


class bug_idle_options_loss(keras.losses.Loss):
    def __init__(self, delta=1.0, name="huber_loss", reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction)
        self.delta = delta

    def call(self, y_true, y_pred):
        return keras.losses.huber(y_true, y_pred)


class twin_idle_options_loss(keras.losses.Loss):
    def __init__(self, delta=1.0, name="huber_loss", reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction)
        self.delta = delta

    def call(self, y_true, y_pred):
        return keras.losses.huber(y_true, y_pred, delta=self.delta)

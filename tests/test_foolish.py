"""Foolish calls of the public functions: each is refused in one clear line, by a name of its own."""

import numpy as np
import pytest

import slopes

torch = pytest.importorskip("torch")
nn = torch.nn
X, MODEL, BATCH = np.array([1.0, 2.0]), nn.Linear(2, 2), (torch.ones(3, 2), torch.ones(3, 2))

CALLS = [
    # computing
    (lambda: slopes.mse(X, X, prediction=X), TypeError, "mse: prediction is given twice, by place and by name"),
    (lambda: slopes.mse(X), TypeError, "mse: takes prediction, target and then keywords; target is missing"),
    (lambda: slopes.mse(X, X, X), TypeError, "mse: takes prediction, target and then keywords; got 3 arguments before"),
    (lambda: slopes.mse(X, X, reductoin="sum"), TypeError, "mse: no parameter 'reductoin'; did you mean 'reduction'?"),
    (lambda: slopes.activation(3), TypeError, "slopes.activation: decorates a function, got 3"),
    (lambda: slopes.loss("regression")(None), TypeError, "slopes.loss: decorates a function, got None"),
    (lambda: slopes.activation(lambda x: None)(1.0), TypeError, "<lambda>: the body must give an array or a number, got None"),
    (lambda: slopes.activation(lambda x: "a")(1.0), TypeError, "<lambda>: the body must give an array or a number, got 'a'"),
    (lambda: slopes.loss("regression")(lambda p, t: None)(X, X), TypeError, "<lambda>: the body must give an array or a number, got None"),
    (lambda: slopes.loss("regression")(lambda p, t: 3)(X, X), ValueError, "<lambda>: the body gives shape () where (2,) is due"),
    # exact
    (lambda: slopes.exact(slopes.relu)("a"), TypeError, "relu: expected an array, a tensor or a number, got str"),
    (lambda: slopes.exact(slopes.relu)([1.0, None]), TypeError, "relu: x must hold real numbers"),
    (lambda: slopes.exact(slopes.relu)(np.ma.array(X)), TypeError, "relu: x is a masked array"),
    (lambda: slopes.exact(slopes.mse)(X, X, weight=-X), ValueError, "mse: weight must be >= 0 and finite, got -1.0"),
    (lambda: slopes.exact(slopes.cross_entropy)([X], [5]), ValueError, "cross_entropy: label must lie in [0, 2), got 5"),
    # the audit
    (lambda: slopes.audit(slopes.relu, seed="x"), ValueError, "audit: seed must be an integer from 0 to 2**62 - 1, got 'x'"),
    (lambda: slopes.audit(slopes.relu, seed=-1), ValueError, "audit: seed must be an integer from 0 to 2**62 - 1, got -1"),
    (lambda: slopes.audit(slopes.relu, seed=10**30), ValueError, "audit: seed must be an integer from 0 to 2**62 - 1, got 1"),
    (lambda: slopes.audit(slopes.relu, quick="no"), ValueError, "audit: quick must be one of True, False, got 'no'"),
    (lambda: slopes.audit(slopes.relu, bounded=1), ValueError, "audit: bounded must be one of True, False, got 1"),
    (lambda: slopes.audit(slopes.relu, time_limit="a"), ValueError, "audit: time_limit must be > 0, got 'a'"),
    (lambda: slopes.audit("mine.py:f", time_limit=float("nan")), ValueError, "audit: time_limit must be > 0, got nan"),
    (lambda: slopes.audit(slopes.mse, divisor="zz"), ValueError, "audit: divisor must be one of 'elements', 'rows', 'weights', 'valid', 'one', got 'zz'"),
    (lambda: slopes.audit(slopes.mse, terms=[1]), TypeError, "audit: terms must be a dict of functions by their names, got [1]"),
    (lambda: slopes.audit(slopes.mse, terms={"a": 1}), TypeError, "audit: terms must be a dict of functions by their names, got {'a': 1}"),
    (lambda: slopes.audit(slopes.mse, kind=3), TypeError, "audit: kind must be text, got 3"),
    (lambda: slopes.audit(slopes.mse, elicits=3), TypeError, "audit: elicits must be text, got 3"),
    # showing
    (lambda: slopes.show([slopes.relu]), TypeError, "show: takes the cards one by one; put a star before the list, as in slopes.show(*cards)"),
    (lambda: slopes.show("relu"), TypeError, "show: takes the cards themselves and not their names, as in slopes.relu; got 'relu'"),
    (lambda: slopes.show(slopes.relu, out=3), TypeError, "show: out must be the path of a file, got 3"),
    (lambda: slopes.show(slopes.relu, out="a\0.svg"), ValueError, "show: cannot write 'a\\x00.svg': embedded null byte"),
    (lambda: slopes.show(slopes.elu.with_(alpha=X)), ValueError, "show: alpha of elu(alpha=an array of shape (2,)) must be a number, for one line to be drawn"),
    (lambda: slopes.show(slopes.elu.with_(alpha=torch.ones(()))), ValueError, "show: alpha of elu(alpha=tensor(1.)) must be a number"),
    # swapping
    (lambda: slopes.swap(MODEL, (), slopes.gelu), ValueError, "swap: old must name a class of modules, such as torch.nn.ReLU, got an empty tuple"),
    (lambda: slopes.swap(MODEL, nn.ReLU, nn.Linear), TypeError, "swap: new must be a card, a module, or a callable that makes one without arguments, as functools.partial does"),
    # diagnosing
    (lambda: slopes.diagnose(MODEL, BATCH, "mse"), TypeError, "diagnose: loss must be a function of (output, target), as torch.nn.MSELoss() is: got 'mse'"),
    (lambda: slopes.diagnose(MODEL, BATCH, nn.MSELoss), TypeError, "diagnose: loss must be a function of (output, target), as torch.nn.MSELoss() is: an instance of the class"),
    (lambda: slopes.diagnose(MODEL, BATCH, nn.MSELoss(), optimizer=3), TypeError, "diagnose: optimizer must be one of torch.optim, of the model's weights, got 3"),
    (lambda: slopes.diagnose(MODEL, BATCH, nn.MSELoss(), optimizer=torch.optim.SGD), TypeError, "diagnose: optimizer must be one of torch.optim, of the model's weights, got <class"),
    (lambda: slopes.diagnose(MODEL, BATCH, nn.MSELoss(), optimizer=torch.optim.SGD(nn.Linear(2, 2).parameters())), ValueError, "diagnose: optimizer holds no weight of this model; make it of model.parameters()"),
    (lambda: slopes.diagnose(MODEL, (X, X), nn.MSELoss()), TypeError, "diagnose: a batch must be (inputs, target), tensors, got ndarray"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), CALLS, ids=[message[:60] for _, _, message in CALLS])
def test_foolish_calls_are_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_progress_is_a_function():
    pytest.importorskip("sklearn")
    with pytest.raises(TypeError, match="compare: progress must be a function that takes a Progress, or False, got 3"):
        slopes.compare(progress=3)


def test_numbers_of_numpy_are_options():
    logits, labels = np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([0, 1])
    smooth = slopes.cross_entropy(logits, labels, label_smoothing=np.float64(0.5), ignore_index=np.int64(1))
    assert smooth == slopes.cross_entropy(logits, labels, label_smoothing=0.5, ignore_index=1)
    assert slopes.mse(X, X + 1, reduction=np.str_("sum")) == 2

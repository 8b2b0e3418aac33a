"""What a card takes as an array, and the one clear line for whatever it does not take."""

import array
import warnings

import numpy as np
import pytest

import slopes

X = np.array([-1.0, 0.5, 2.0])
TARGET = np.array([0.0, 1.0, -1.0])


class Column:
    """Stands for the columns of other libraries: no NumPy array, but one of them in NumPy's protocol."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        if isinstance(self.values, Exception):
            raise self.values
        return np.asarray(self.values, dtype=dtype)


def pandas_series(values):
    return pytest.importorskip("pandas").Series(values, index=[*"cab"])


def polars_series(values):
    return pytest.importorskip("polars").Series("column", values)


def xarray_array(values):
    return pytest.importorskip("xarray").DataArray(values, dims=["place"])


def dask_array(values):
    return pytest.importorskip("dask.array").from_array(values, chunks=2)


OTHERS = [Column, pandas_series, polars_series, xarray_array, dask_array]


@pytest.mark.parametrize("other", OTHERS, ids=lambda make: make.__name__)
def test_what_converts_to_an_array_is_one(other):
    x, target = other(X.astype(np.float32)), other(TARGET.astype(np.float32))
    value = slopes.gelu(x)
    assert type(value) is np.ndarray
    assert value.dtype == np.float32
    np.testing.assert_array_equal(value, slopes.gelu(X.astype(np.float32)))
    np.testing.assert_array_equal(
        slopes.softmax.vjp(x, target), slopes.softmax.vjp(X.astype("f4"), TARGET.astype("f4"))
    )
    value, slope = slopes.huber.value_and_slope(x, target, weight=other(np.ones(3, np.float32)), mask=other(X > 0))
    expected = slopes.huber.value_and_slope(X.astype("f4"), TARGET.astype("f4"), mask=X > 0)
    assert value == expected[0]
    np.testing.assert_array_equal(slope, expected[1])


def test_columns_are_taken_by_position():
    pandas = pytest.importorskip("pandas")
    first, second = pandas.Series(X, index=[0, 1, 2]), pandas.Series(TARGET, index=[2, 1, 0])
    assert slopes.mae(first, second) == slopes.mae(X, TARGET)
    assert slopes.softmax(pandas.DataFrame({"a": X, "b": TARGET})).shape == (3, 2)


def test_numbers_of_one_library_go_with_each_other():
    assert slopes.mse(Column(X), list(TARGET)) == slopes.mse(X, TARGET)


COUNTS = np.ma.array(X, mask=[0, 1, 0])
MASKED = r"is a masked array, whose mask would be lost: pass {0}\.data, and to a loss or a map also mask=~numpy\.ma\.getmaskarray\({0}\)"


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: slopes.mse(COUNTS, TARGET), "mse: prediction"),
        (lambda: slopes.mse(TARGET, COUNTS), "mse: target"),
        (lambda: slopes.mse(X, TARGET, weight=COUNTS), "mse: weight"),
        (lambda: slopes.mse.slope(COUNTS, TARGET), "mse: prediction"),
        (lambda: slopes.relu(COUNTS), "relu: x"),
        (lambda: slopes.relu.vjp(X, COUNTS), "relu: cotangent"),
        (lambda: slopes.softmax(np.ma.array(X)), "softmax: x"),
        (lambda: slopes.relu(np.ma.masked), "relu: x"),
        (lambda: slopes.cross_entropy(np.ones((3, 3)), [0, 1, 2], class_weight=COUNTS), "cross_entropy: class_weight"),
    ],
)
def test_a_masked_array_is_refused(call, name):
    with pytest.raises(TypeError, match=f"^{name} {MASKED.format(name.split()[1])}, True where an entry counts$"):
        call()


WRONG = [
    (lambda: slopes.relu("abc"), "relu: expected an array, a tensor or a number, got str"),
    (lambda: slopes.relu({1.0, 2.0}), r"relu: expected an array, a tensor or a number, got set; numpy\.asarray\(list\(it\)\) makes an array$"),
    (lambda: slopes.relu(range(3)), r"relu: expected an array.*, got range; numpy\.asarray\(list\(it\)\) makes an array$"),
    (lambda: slopes.relu(x for x in X), r"relu: expected an array.*, got generator; numpy\.asarray\(list\(it\)\) makes an array$"),
    (lambda: slopes.relu(memoryview(X)), r"relu: expected an array.*, got memoryview; numpy\.asarray\(it\) makes an array$"),
    (lambda: slopes.relu(array.array("d", X)), r"relu: expected an array.*, got array; numpy\.asarray\(it\) makes an array$"),
    (lambda: slopes.relu(b"abc"), r"relu: expected an array, a tensor or a number, got bytes$"),
    (lambda: slopes.relu({"x": 1.0}), r"relu: expected an array, a tensor or a number, got dict$"),
    (lambda: slopes.relu(np.ndarray), r"relu: expected an array, a tensor or a number, got the class ndarray$"),
    (lambda: slopes.relu(slopes.gelu), r"relu: expected an array, a tensor or a number, got Activation$"),
    (lambda: slopes.relu([1.0, None]), r"relu: x must hold real numbers of at most 64 bits, got dtype object, as of mixed or missing entries$"),
    (lambda: slopes.relu(10**400), "relu: x must hold real numbers of at most 64 bits, got dtype object"),
    (lambda: slopes.relu(Column(["a"])), "relu: x must hold real numbers of at most 64 bits, got dtype <U1"),
    (lambda: slopes.relu(Column([1.0, None])), "relu: x must hold real numbers of at most 64 bits, got dtype object"),
    (lambda: slopes.relu(Column(RuntimeError("on another\ndevice"))), "^relu: x cannot be read as an array: Column says RuntimeError: on another device$"),
    (lambda: slopes.mse(X, Column(ValueError(""))), "^mse: target cannot be read as an array: Column says ValueError$"),
    (lambda: slopes.mse(X, "abc"), "mse: target must be a NumPy array or a number here, got str"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_what_is_no_array_is_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_a_list_that_contains_itself_is_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(TypeError, match="relu: x must be an array of numbers, got a list that is none"):
        slopes.relu(endless)


def test_sparse_matrices_are_refused_with_a_way_out():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match=r"relu: expected an array.*, got csr_array; its toarray\(\) makes an array$"):
        slopes.relu(sparse.csr_array(np.eye(2)))


def test_missing_values_of_pandas_are_refused():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(
        TypeError,
        match="prediction must hold real numbers of at most 64 bits, got dtype object, as of mixed or missing",
    ):
        slopes.mse(pandas.Series([1.0, None], dtype="object"), [0.0, 0.0])


def test_tensors_and_arrays_do_not_mix():
    torch = pytest.importorskip("torch")
    x, t = torch.tensor(X), torch.tensor(TARGET)
    array_here = (
        r"must be a NumPy array or a number here, as the other arguments are, got Tensor; {}\.numpy\(\) is an array"
    )
    tensor_here = r"must be a torch tensor here, as the other arguments are, got {}; torch\.as_tensor\({}\) is a tensor"
    for call, message in (
        (lambda: slopes.mse(X, t), "mse: target " + array_here.format("target")),
        (lambda: slopes.mse(X, TARGET, weight=t), "mse: weight " + array_here.format("weight")),
        (lambda: slopes.relu.vjp(X, t), "relu: cotangent " + array_here.format("cotangent")),
        (lambda: slopes.mse(x, TARGET), "mse: target " + tensor_here.format("ndarray", "target")),
        (lambda: slopes.mse(x, 1.0), "mse: target " + tensor_here.format("float", "target")),
        (lambda: slopes.mse(x, Column(TARGET)), "mse: target " + tensor_here.format("Column", "target")),
        (lambda: slopes.mse(x, t, mask=[True] * 3), "mse: mask " + tensor_here.format("list", "mask")),
        (lambda: slopes.softmax(x, mask=X > 0), "softmax: mask " + tensor_here.format("ndarray", "mask")),
    ):
        with pytest.raises(TypeError, match=message):
            call()


def test_tensors_in_a_list_are_refused():
    torch = pytest.importorskip("torch")
    terms = [torch.tensor(1.0), torch.tensor(2.0)]
    for given in (terms, tuple(terms), [terms], torch.ones(2, 2).max(0)):
        with pytest.raises(
            TypeError,
            match=r"relu: x is a (list|tuple|max) of torch tensors; torch\.stack\(x\) makes one tensor of them",
        ):
            slopes.relu(given)
    with pytest.raises(TypeError, match=r"mse: target is a list of torch tensors; torch\.stack\(target\)"):
        slopes.mse([1.0, 2.0], terms)


def test_tensors_that_are_not_dense_are_refused():
    torch = pytest.importorskip("torch")
    sparse = torch.eye(2).to_sparse()
    with pytest.raises(
        TypeError, match=r"relu: x must be a dense tensor, got layout torch\.sparse_coo; x\.to_dense\(\) is one"
    ):
        slopes.relu(sparse)
    with pytest.raises(TypeError, match=r"mse: target must be a dense tensor, got layout torch\.sparse_coo"):
        slopes.mse(torch.eye(2), sparse)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, that it will drop the type
        quantized = torch.empty(2, dtype=torch.quint8)
    with pytest.raises(TypeError, match=r"relu: x must hold real numbers, got dtype torch\.quint8"):
        slopes.relu(quantized)
    with pytest.raises(TypeError, match=r"relu: x must hold real numbers, got dtype torch\.complex64"):
        slopes.relu(torch.ones(2, dtype=torch.complex64))
    with pytest.raises(TypeError, match=r"relu: x must hold real numbers, got dtype torch\.float8_e5m2"):
        slopes.relu(torch.ones(2).to(torch.float8_e5m2))

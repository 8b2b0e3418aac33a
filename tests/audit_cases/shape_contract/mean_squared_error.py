"""A network's (N, 1) against a column of a table, (N,): the difference is (N, N), and its mean trains to the mean."""


def bug(y_pred, y_true):
    return ((y_pred - y_true) ** 2).mean()


def fixed(y_pred, y_true):
    if y_pred.shape != y_true.shape:
        raise ValueError(f"y_pred {tuple(y_pred.shape)} and y_true {tuple(y_true.shape)} differ")
    return ((y_pred - y_true) ** 2).mean()

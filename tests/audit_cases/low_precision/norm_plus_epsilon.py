"""A cosine loss whose epsilon beside a norm is 0 in float16, so that a zero vector gives NaN."""

SEVERITY = "note"
OPTIONS = {"kind": "vectors"}


def unit(x):
    return x / (x.norm(dim=-1, keepdim=True) + 1e-8)


def cosine(pred, target):
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
    return (1 - (unit(pred) * unit(target)).sum(dim=-1)).mean()


def bug(pred, target):
    return cosine(pred, target)


def fixed(pred, target):
    if pred.dtype.itemsize < 4:
        return cosine(pred.float(), target.float()).to(pred.dtype)
    return cosine(pred, target)

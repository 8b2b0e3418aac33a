"""Kinds of losses: each owns arguments, shapes, masks, weights, reduction, samples and plot of its losses."""

from slopes.domains import Domain, OneOf
from slopes.kinds.base import (
    REDUCTIONS,
    Argument,
    Batch,
    Kind,
    boolean_mask,
    broadcasts,
    gives_numbers,
    keeps_shape,
    same_shape,
    valid_axis,
)
from slopes.kinds.batches import MODE, OVER, Embeddings, Overlap
from slopes.kinds.classification import UNIT, Classification
from slopes.kinds.others import FLAG, Pairs, Signed, Triplets
from slopes.kinds.spaces import (
    BOXES,
    CHANCES,
    DISTRIBUTIONS,
    LOGITS,
    POSITIVE,
    REAL,
    SIGNS,
    SPACE,
    SPACES,
)

__all__ = [
    "KINDS",
    "OPTIONS",
    "SPACE",
    "SPACES",
    "Argument",
    "Batch",
    "Kind",
    "boolean_mask",
    "broadcasts",
    "gives_numbers",
    "keeps_shape",
    "same_shape",
    "valid_axis",
]

PREDICTION, TARGET, LOGIT = Argument("prediction", REAL), Argument("target", REAL), Argument("prediction", LOGITS)
SIGN, CHANCE, ROW = Argument("target", SIGNS), Argument("target", CHANCES), Argument("target", DISTRIBUTIONS)
FIRST, SECOND = Argument("first", REAL), Argument("second", REAL)
BOX = tuple(Argument(name, BOXES) for name in ("prediction", "target"))
TRIPLET = tuple(Argument(name, REAL) for name in ("anchor", "positive", "negative"))
BATCH = Argument("embeddings", REAL), Argument("labels", REAL, row=False)

#: Domains of the options of a call that are words, flags or numbers.
OPTIONS: dict[str, Domain] = {
    "reduction": REDUCTIONS, "gate": OneOf(("first", "last")), "mode": MODE, "over": OVER, "from_probabilities": FLAG,
    "zero_one": FLAG, "label_smoothing": UNIT,
}  # fmt: skip

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        # element by element
        Kind("regression", (PREDICTION, TARGET)),
        Kind("binary", (LOGIT, CHANCE)),
        Signed("margin", (PREDICTION, SIGN)),
        Kind(
            "variance", (PREDICTION, TARGET, Argument("variance", POSITIVE)), about="prediction − target, of variance 1"
        ),
        Signed("ranking", (FIRST, SECOND, SIGN), about="first − second, of target 1"),
        # row by row
        Classification("classification", (LOGIT, ROW)),
        Kind("multilabel", (LOGIT, CHANCE), rowwise=True),
        Kind("distribution", (LOGIT, ROW), rowwise=True, about="logit of the right class"),
        Kind("distillation", (LOGIT, Argument("target", LOGITS)), rowwise=True, about="a logit whose target is 0"),
        Kind("vectors", (PREDICTION, TARGET), rowwise=True, about="x in prediction (x, 1), target (0, 1)"),
        Kind("boxes", BOX, rowwise=True, about="shift between unit boxes"),
        Pairs("pairs", (FIRST, SECOND, SIGN._replace(row=False)), rowwise=True),
        Triplets("triplets", TRIPLET, rowwise=True),
        # region by region, batch by batch
        Overlap("overlap", (LOGIT, ROW), rowwise=True),
        Overlap("ranked overlap", (LOGIT, ROW), rowwise=True, ranked=True),
        Overlap("overlap scores", (LOGIT, CHANCE), rowwise=True, scores=True),
        Overlap("joint overlap", (LOGIT, ROW), rowwise=True, joint=True),
        Embeddings("embeddings", BATCH, rowwise=True),
    )
}

"""Kinds of losses: arguments, shapes, masks, weights, reduction, examples and plots."""

from dataclasses import replace

from slopes.domains import Domain, OneOf
from slopes.kinds.base import (
    REDUCTIONS,
    Argument,
    Batch,
    Kind,
    check_broadcast,
    check_mask,
    check_numbers,
    check_same_shape,
    check_shape_kept,
    valid_axis,
)
from slopes.kinds.batches import MODE, OVER, Embeddings, Overlap
from slopes.kinds.classification import UNIT, Binary, Classification
from slopes.kinds.examples import Examples
from slopes.kinds.forecasts import Forecasts
from slopes.kinds.images import SIGMA, WINDOW, Images, Neighbours
from slopes.kinds.others import FLAG, CumulativeGrades, Grades, Pairs, Ranking, Signed, Triplets, ZeroInflated
from slopes.kinds.preferences import NORMALIZER, Judged, Likelihoods, Policy, Preference
from slopes.kinds.spaces import (
    ADVICE,
    BOXES,
    CHANCES,
    DISTRIBUTIONS,
    EDGES,
    FALLING,
    LOG_LIKELIHOODS,
    LOGITS,
    NONNEGATIVE,
    POSITIVE,
    REAL,
    SIGNS,
    SPACES,
    STEPS,
    read_space,
)
from slopes.kinds.sums import SumKind, Summand, merge

__all__ = [
    "ACTIVATION", "BINARY", "CLASSIFICATION", "DISTRIBUTION", "KINDS", "MULTILABEL", "OPTIONS", "SPACES",
    "TRIPLETS", "Argument", "Batch", "Examples", "Kind", "SumKind", "Summand", "check_broadcast", "check_mask",
    "check_numbers", "check_same_shape", "check_shape_kept", "merge", "read_space", "valid_axis",
]  # fmt: skip

PREDICTION, TARGET, LOGIT = Argument("prediction", REAL), Argument("target", REAL), Argument("prediction", LOGITS)
SIGN = Argument("target", replace(SIGNS, advice="; with zero_one=True it may be 0 or 1"))
CHANCE, ROW = Argument("target", CHANCES), Argument("target", DISTRIBUTIONS)
FIRST, SECOND = Argument("first", REAL), Argument("second", REAL)
BOX = tuple(Argument(name, BOXES) for name in ("prediction", "target"))
TRIPLET = tuple(Argument(name, REAL) for name in ("anchor", "positive", "negative"))
CHOSEN, REJECTED, REFERENCE = Argument("chosen", REAL), Argument("rejected", REAL), Argument("reference", REAL)
BATCH = Argument("embeddings", REAL), Argument("labels", REAL, row=False)

#: domains of a call's options
OPTIONS: dict[str, Domain] = {
    "reduction": REDUCTIONS, "gate": OneOf(("first", "last")), "mode": MODE, "over": OVER, "from_probabilities": FLAG,
    "zero_one": FLAG, "label_smoothing": UNIT, "terms": FLAG, "normalizer": NORMALIZER,
    "window": WINDOW, "sigma": SIGMA,
}  # fmt: skip

#: for the examples of an activation
ACTIVATION = Kind("activation", (Argument("x", REAL),))
SCORES = (("logits",), ("probabilities",))
NUMBERS = ("real", "real"), ("positive", "positive"), ("real", "non-negative"), ("positive", "non-negative")

BINARY = Binary("binary", (LOGIT, CHANCE), guess=3, name_parts=("prob",), known_spaces=SCORES)
CLASSIFICATION = Classification(
    "classification", (LOGIT, ROW), guess=1, known_spaces=(("logits",), ("log-probabilities",), ("probabilities",))
)
MULTILABEL = Kind("multilabel", (LOGIT, CHANCE), rowwise=True, known_spaces=SCORES)
DISTRIBUTION = Kind(
    "distribution",
    (LOGIT, ROW),
    rowwise=True,
    about="logit of the right class",
    guess=5,
    title_parts=("js_?d", "jensen", "kl_?d", "^kl$", "kullback"),
    known_spaces=(("log-probabilities",), ("logits",), ("probabilities",)),
)
TRIPLETS = Triplets(
    "triplets", TRIPLET, rowwise=True, data="triplets of vectors", guess=1, name_parts=("anchor", "neg")
)

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        # element by element
        Kind("regression", (PREDICTION, TARGET), guess=2, known_spaces=NUMBERS),
        BINARY,
        Signed("margin", (PREDICTION, SIGN), guess=4),
        Kind(
            "variance",
            (PREDICTION, TARGET, Argument("variance", POSITIVE)),
            about="prediction − target, of variance 1",
            data="a prediction with its variance",
            guess=2,
            name_parts=("var",),
        ),
        ZeroInflated(
            "zero inflation",
            (PREDICTION, Argument("target", NONNEGATIVE), Argument("zero_logit", LOGITS)),
            about="prediction, the logit of a zero being 0",
            data="a predicted count with the logit of a zero that is no count",
            name_parts=("zero_logit", "logits?_zero", "zero_inflation"),
        ),
        Kind(
            "evidence",
            (PREDICTION, TARGET, *(Argument(name, POSITIVE) for name in ("evidence", "shape", "scale"))),
            about="prediction − target, the others being 1",
            data="a prediction with its evidence, and shape and scale of its variance",
        ),
        Ranking(
            "ranking",
            (FIRST, SECOND, SIGN),
            about="first − second, of target 1",
            data="ranked pairs",
            guess=4,
            title_parts=("rank",),
        ),
        Preference(
            "preference",
            (CHOSEN, REJECTED, Argument("reference_chosen", REAL), Argument("reference_rejected", REAL)),
            about="chosen, the others being 0",
            data="the log-likelihoods of preferred and rejected answers, and of a reference",
        ),
        Preference(
            "preference alone",
            (CHOSEN, REJECTED),
            about="chosen − rejected",
            data="the log-likelihoods of preferred and rejected answers",
        ),
        Likelihoods(
            "likelihoods of answers",
            (Argument("chosen", LOG_LIKELIHOODS), Argument("rejected", LOG_LIKELIHOODS)),
            data="the mean log-likelihoods of preferred and rejected answers",
        ),
        Judged(
            "judged answers",
            (PREDICTION, REFERENCE, SIGN),
            about="prediction − reference",
            data="the log-likelihoods of good and bad answers, and of a reference",
        ),
        Policy(
            "tokens of a policy",
            (PREDICTION, REFERENCE, Argument("advantage", REAL)),
            data="the log-likelihoods of tokens, and their advantages",
        ),
        # row by row
        CLASSIFICATION,
        MULTILABEL,
        DISTRIBUTION,
        *(
            Grades(
                name,
                (LOGIT, Argument("target", STEPS if is_conditional else replace(SIGNS, advice=ADVICE))),
                rowwise=True,
                about="logit of a step, which was passed",
                data="logits of the steps between grades",
                conditional=is_conditional,
            )
            for name, is_conditional in (("grades", False), ("conditional grades", True))
        ),
        CumulativeGrades(
            "cumulative grades",
            (Argument("prediction", FALLING), Argument("target", EDGES)),
            rowwise=True,
            about="logit of a step, which was passed",
            data="logits of a grade above each of ever higher ones",
        ),
        Kind(
            "distillation",
            (LOGIT, Argument("target", LOGITS)),
            rowwise=True,
            about="a logit whose target is 0",
            data="the logits of a teacher",
            name_parts=("student", "teacher"),
        ),
        Kind(
            "vectors",
            (PREDICTION, TARGET),
            rowwise=True,
            about="x in prediction (x, 1), target (0, 1)",
            data="a vector for each sample",
            guess=6,
            title_parts=("cosine", "info_?nce", "nt_?xent", "sim_?clr", "barlow", "vic_?reg"),
        ),
        Forecasts(
            "forecasts",
            (PREDICTION, TARGET._replace(row=False)),
            rowwise=True,
            about="x in predictions x − 1 to x + 1",
            data="several predictions of one number",
            guess=7,
            title_parts=("crps",),
        ),
        Kind(
            "boxes",
            BOX,
            rowwise=True,
            about="shift between unit boxes",
            data="boxes",
            name_parts=("box",),
            title_parts=("[gdc]iou",),
        ),
        Pairs(
            "pairs",
            (FIRST, SECOND, SIGN._replace(row=False)),
            rowwise=True,
            data="pairs of vectors",
            guess=3,
            title_parts=("contrastive", "siamese"),
        ),
        TRIPLETS,
        # region by region, batch by batch
        Overlap("overlap", (LOGIT, ROW), rowwise=True, known_spaces=SCORES),
        Overlap("ranked overlap", (LOGIT, ROW), rowwise=True, ranked=True, known_spaces=SCORES),
        Overlap("overlap scores", (LOGIT, CHANCE), rowwise=True, scores=True, known_spaces=SCORES),
        Overlap("joint overlap", (LOGIT, ROW), rowwise=True, joint=True, known_spaces=SCORES),
        Images("images", (PREDICTION, TARGET), rowwise=True, data="images", title_parts=("ssim",)),
        Neighbours("images alone", (PREDICTION,), rowwise=True, data="images without a target"),
        Embeddings(
            "embeddings",
            BATCH,
            rowwise=True,
            data="vectors that are compared within a batch",
            name_parts=("embed", "feature"),
            title_parts=("sup_?con",),
        ),
    )
}

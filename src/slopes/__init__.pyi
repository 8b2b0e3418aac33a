"""The public names, for editors and type checkers; `__init__.py` loads them late."""

from slopes import catalogue as catalogue
from slopes import domains as domains
from slopes import ops as ops
from slopes.activations.rectifiers import elu as elu
from slopes.activations.rectifiers import identity as identity
from slopes.activations.rectifiers import leaky_relu as leaky_relu
from slopes.activations.rectifiers import linear as linear
from slopes.activations.rectifiers import relu as relu
from slopes.activations.sigmoids import log_sigmoid as log_sigmoid
from slopes.activations.sigmoids import sigmoid as sigmoid
from slopes.activations.sigmoids import softplus as softplus
from slopes.activations.sigmoids import tanh as tanh
from slopes.activations.simplex import log_softmax as log_softmax
from slopes.activations.simplex import softmax as softmax
from slopes.activations.smooth import gelu as gelu
from slopes.activations.smooth import gelu_tanh as gelu_tanh
from slopes.activations.smooth import silu as silu
from slopes.activations.smooth import swish as swish
from slopes.card import Activation as Activation
from slopes.card import Loss as Loss
from slopes.card import activation as activation
from slopes.card import loss as loss
from slopes.checks import audit as audit
from slopes.facts import Paper as Paper
from slopes.losses.classification import binary_cross_entropy as binary_cross_entropy
from slopes.losses.classification import categorical_cross_entropy as categorical_cross_entropy
from slopes.losses.classification import cross_entropy as cross_entropy
from slopes.losses.regression import huber as huber
from slopes.losses.regression import log_cosh as log_cosh
from slopes.losses.regression import mae as mae
from slopes.losses.regression import mse as mse
from slopes.oracle import exact as exact
from slopes.plot import show as show
from slopes.study import compare as compare

__all__: list[str]
__version__: str

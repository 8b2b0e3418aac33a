"""Health of a model's activations: dead, saturated, vanishing, exploding, or too large for half types."""

from slopes.extras import require

require("slopes.diagnose", "torch")

from slopes.diagnosing.diagnosis import Diagnosis as Diagnosis  # noqa: E402
from slopes.diagnosing.origin import NonFiniteError as NonFiniteError  # noqa: E402
from slopes.diagnosing.origin import Origin as Origin  # noqa: E402
from slopes.diagnosing.results import Finding as Finding  # noqa: E402
from slopes.diagnosing.results import Layer as Layer  # noqa: E402
from slopes.diagnosing.results import Weights as Weights  # noqa: E402
from slopes.diagnosing.trial import diagnose as diagnose  # noqa: E402
from slopes.diagnosing.watcher import Watcher as Watcher  # noqa: E402

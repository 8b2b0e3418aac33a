"""Health of a model's activations: dead, saturated, vanishing, exploding, or too large for half types."""

from slopes.extras import require

require("slopes.diagnose", "torch")

from slopes.diagnosis.results import Diagnosis as Diagnosis  # noqa: E402
from slopes.diagnosis.results import Finding as Finding  # noqa: E402
from slopes.diagnosis.results import Layer as Layer  # noqa: E402
from slopes.diagnosis.results import Weights as Weights  # noqa: E402
from slopes.diagnosis.trial import diagnose as diagnose  # noqa: E402
from slopes.diagnosis.watcher import Watcher as Watcher  # noqa: E402

"""Fast paths of plain tensors: each function returns None if the general path must compute the result."""

from slopes.fast.entries import is_own as is_own
from slopes.fast.entries import run_gate as run_gate
from slopes.fast.entries import run_kernel as run_kernel
from slopes.fast.entries import run_loss as run_loss
from slopes.fast.entries import run_map as run_map
from slopes.fast.entries import run_nll as run_nll
from slopes.fast.linear import compute_linear_loss as compute_linear_loss
from slopes.fast.regions import run_regions as run_regions
from slopes.fast.rows import Reduction as Reduction
from slopes.fast.rows import compute_loss as compute_loss
from slopes.fast.rows import find_row_kernel as find_row_kernel
from slopes.fast.rows import has_many_entries as has_many_entries
from slopes.fast.rows import loss_and_slope_by_kernel as loss_and_slope_by_kernel
from slopes.fast.rows import loss_by_kernel as loss_by_kernel
from slopes.fast.rows import map_by_kernel as map_by_kernel
from slopes.fast.rows import may_have_row_kernel as may_have_row_kernel
from slopes.fast.rows import run_loss_of_labels as run_loss_of_labels
from slopes.fast.rows import run_map_of_rows as run_map_of_rows
from slopes.readings.plain import is_plain as is_plain

"""``python -m slopes``: the command line."""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    # -m puts the working directory first on the import path; a torch.py there is not PyTorch.
    if not sys.flags.safe_path and sys.path[0] == os.getcwd() != str(Path(__file__).parents[1]):
        del sys.path[0]

    from slopes.cli import main

    main()

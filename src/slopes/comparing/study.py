"""Ways to show and keep the results of a study."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.table import Table

from slopes.comparing import export, listing, picture, report, saving
from slopes.comparing.errors import StudyError
from slopes.comparing.results import Results


class Study(Results):
    """Result of `slopes.compare`: print it, or use its `table`, `verdicts`, `plot`, `report` or `best` model."""

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read the results of a study that ended, without its model and data: tables, verdicts, pictures, exports.

        Its page is ``report.html`` in the folder. Raises StudyError where no study can be read.
        """
        return cls(*saving.load(Path(folder)))

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write one row per run to a file, ``.csv``, ``.json`` or ``.parquet``, and return its path."""
        return export.export(self.rows(), Path(path))

    def plot(self, path: str | os.PathLike[str] | None = None, metric: str | None = None) -> Any:
        """Draw the ranking with its intervals beside the differences to the baseline.

        Returns matplotlib's figure, or with a path (``.png``, ``.svg``, ``.pdf``) writes it there and returns the path.
        """
        return picture.draw(self, path, metric)

    def report(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the page, by default ``report.html`` in the study's folder, and return its path.

        Raises StudyError where it cannot be written.
        """
        if isinstance(self.plan, saving.SavedPlan):
            raise StudyError(f"{self.folder}: the page of a loaded study is the report.html that lies there.")
        return report.write(self, Path(path) if path is not None else self.folder / "report.html")

    def listing(self, metric: str | None = None) -> Table:
        return listing.listing(self, metric)

    def __rich__(self) -> Table:
        return self.listing()

    def _repr_html_(self) -> str:
        return listing.html(self)

    def __str__(self) -> str:
        stream = io.StringIO()
        Console(file=stream, width=200, force_jupyter=False).print(self)
        return "\n".join(line.rstrip() for line in stream.getvalue().rstrip().splitlines())

    def __repr__(self) -> str:
        return f"<Study: {len(self.pairs)} pairs, {len(self.runs)} runs, in {self.folder}>"

"""Lines that `git diff` says are new or changed since a revision."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

#: a hunk without context: where it begins in the new file, and its number of lines
HUNK = re.compile(rb"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


class Changes:
    """Changes of files since a revision; git is asked once for each file."""

    def __init__(self, revision: str) -> None:
        self.revision = revision
        self._hunks: dict[str, list[tuple[int, int]]] = {}

    def touch(self, file: str, first: int, last: int) -> bool:
        """Whether a line from `first` to `last` is new or changed, or one between them was removed.

        Raises ValueError if git does not know the revision, or the file is in no repository.
        """
        if file not in self._hunks:
            self._hunks[file] = _hunks(file, self.revision)
        return any(
            start <= last and first < start + length if length else first <= start < last
            for start, length in self._hunks[file]
        )


def _hunks(file: str, revision: str) -> list[tuple[int, int]]:
    path = Path(file).absolute()
    command = ["git", "--literal-pathspecs", "diff", "--unified=0", "--text", "--no-color", "--no-ext-diff"]
    command += ["--no-renames", "--end-of-options", revision, "--", path.name]
    try:
        ended = subprocess.run(command, cwd=path.parent, capture_output=True, check=False)
    except FileNotFoundError:
        raise ValueError("changes since a revision need git, which is not installed") from None
    if ended.returncode:
        reason = ended.stderr.decode(errors="replace").partition("\n")[0].removeprefix("fatal: ")
        raise ValueError(f"git knows no changes of {file} since {revision!r}: {reason}")
    return [(int(start), int(length or 1)) for start, length in HUNK.findall(ended.stdout)]

"""The record: one SQLite file that keeps every run from the moment it ends.

Only the process that coordinates a study writes, one transaction per run, so that a kill loses at most what
was still training. SQLite's exclusive mode holds the operating system's lock on the file while a study runs, and
the lock goes however the process ends.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from slopes.study.errors import StudyError

FORMAT = 1
#: marks a SQLite file as ours: "slop" in ASCII
APPLICATION = 0x736C6F70


class Record:
    """The record of a folder, open for writing; a context manager.

    Raises StudyError where the file is not to be used, and never changes a file that it did not write.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "record.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StudyError(f"{folder}: cannot make this output folder ({_reason(error)}); choose another.") from error
        try:
            # autocommit: transactions are written out below
            self._connection = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        except sqlite3.Error as error:
            raise self._explained(error) from error
        try:
            self._open()
        except sqlite3.Error as error:
            self._connection.close()
            raise self._explained(error) from error
        except StudyError:
            self._connection.close()
            raise

    def _open(self) -> None:
        ask = self._connection.execute
        ask("PRAGMA locking_mode=EXCLUSIVE")
        ask("PRAGMA synchronous=FULL")
        ask("BEGIN EXCLUSIVE")
        (application,), (found,) = (
            ask("PRAGMA application_id").fetchone(),
            ask("PRAGMA user_version").fetchone(),
        )
        tables = [name for (name,) in ask("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if application != APPLICATION and (tables or application):
            raise StudyError(f"{self.path}: this is a database of another program; choose another output folder.")
        if found > FORMAT:
            raise StudyError(
                f"{self.path}: this record has format {found} and this slopes reads up to {FORMAT}; "
                "install a newer slopes or choose another output folder."
            )
        problems = [text for (text,) in ask("PRAGMA quick_check(1)")]
        if problems != ["ok"]:
            what = " ".join(problems[0].removeprefix("*** in database main ***").split())
            raise StudyError(f"{self.path}: this record is damaged ({what}); {_ASIDE}")
        if not tables:
            ask(f"PRAGMA application_id={APPLICATION}")
            ask(f"PRAGMA user_version={FORMAT}")
            ask(
                "CREATE TABLE runs (key TEXT PRIMARY KEY, spec TEXT NOT NULL, outcome TEXT NOT NULL,"
                " ended TEXT NOT NULL) WITHOUT ROWID"
            )
        ask("COMMIT")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def keys(self) -> set[str]:
        """The runs that have ended."""
        try:
            return {key for (key,) in self._connection.execute("SELECT key FROM runs")}
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def add(self, key: str, spec: dict[str, Any], outcome: dict[str, Any]) -> None:
        """Keep a run, on the disk before this returns; a run that is there already stays as it is."""
        row = (key, _text(spec), _text(outcome), datetime.now(UTC).isoformat(timespec="seconds"))
        try:
            self._connection.execute("INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?)", row)
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def read(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The outcomes of the runs asked for, by key."""
        wanted = set(keys)
        try:
            rows = self._connection.execute("SELECT key, outcome FROM runs").fetchall()
        except sqlite3.Error as error:
            raise self._explained(error) from error
        try:
            return {key: json.loads(outcome) for key, outcome in rows if key in wanted}
        except ValueError as error:
            raise StudyError(f"{self.path}: this record is damaged (a run is no JSON); {_ASIDE}") from error

    def _explained(self, error: sqlite3.Error) -> StudyError:
        """What happened, and what would do."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind, the rest its detail
        path = self.path
        if code == sqlite3.SQLITE_BUSY:
            return StudyError(
                f"{path}: another study is writing this record; wait for it or choose another output folder."
            )
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return StudyError(f"{path}: this record is damaged or no record at all ({error}); {_ASIDE}")
        if code == sqlite3.SQLITE_FULL:
            return StudyError(f"{path}: the disk is full; what was recorded is safe, so make room and start again.")
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return StudyError(f"{path}: cannot write here ({error}); choose another output folder.")
        return StudyError(
            f"{path}: cannot write the record ({error}); what was recorded is safe: repair this and start again."
        )


_ASIDE = "move it aside or choose another output folder."


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)

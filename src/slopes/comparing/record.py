"""Record of a study: one SQLite file that keeps every run from the moment it ends.

Only the coordinating process writes, under the folder's `Lock`. A write-ahead log lets others read meanwhile. Where
that is refused, and on network folders, whose machines share no memory, a rollback journal and an exclusive lock serve.
A finished run is never overwritten, and a failed one only when it is tried again.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from slopes.comparing.errors import StudyError, reason_of
from slopes.comparing.lock import Lock

FORMAT = 2
#: "slop" in ASCII
APPLICATION = 0x736C6F70
#: seconds to wait for another program
WAIT = 5.0
#: runs of the first format, with other networks
OLDER = "runs_of_format_1"

_SCHEMA = """CREATE TABLE runs (
    key TEXT PRIMARY KEY, spec TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('done', 'failed')),
    outcome TEXT, reason TEXT, trace TEXT,
    attempts INTEGER NOT NULL, machine TEXT NOT NULL, ended TEXT NOT NULL
) WITHOUT ROWID"""

_PUT = """INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)
    ON CONFLICT (key) DO UPDATE SET status = excluded.status, outcome = excluded.outcome, reason = excluded.reason,
        trace = excluded.trace, attempts = attempts + 1, machine = excluded.machine, ended = excluded.ended
    WHERE status = 'failed'"""


class FailedAttempt(NamedTuple):
    reason: str
    trace: str  #: traceback; "" where its process was killed
    attempts: int


def machine() -> str:
    return f"{platform.node()}, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


class Record:
    """Record open for writing; it never changes a foreign file.

    Raises StudyError if the file cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "record.sqlite"
        self.older = 0  #: number of runs of an older format
        self._process = os.getpid()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StudyError(
                f"{folder}: cannot make this output folder ({reason_of(error)}); choose another."
            ) from error
        self._lock = Lock(folder)
        try:
            if self.path.exists():
                try:
                    self.path.open("r+b").close()  # SQLite would open a read-only file without an error
                except OSError as error:
                    raise StudyError(
                        f"{self.path}: cannot write here ({reason_of(error)}); choose another output folder."
                    ) from error
            with _explained(self.path):
                self._connection = self._open()
                self._identity = _identity(self.path)
        except BaseException:
            self._lock.release()
            raise

    def _open(self) -> sqlite3.Connection:
        # an exclusive lock needs no shared memory to read a write-ahead log
        with closing(_connect(self.path)) as connection:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            known = _check(connection, self.path)
        connection = _journalled(self.path)
        try:
            connection.execute("PRAGMA synchronous=FULL")
            if known < FORMAT:
                with _transaction(connection):
                    if known:
                        connection.execute(f"ALTER TABLE runs RENAME TO {OLDER}")
                    connection.execute(f"PRAGMA application_id={APPLICATION}")
                    connection.execute(f"PRAGMA user_version={FORMAT}")
                    connection.execute(_SCHEMA)
            if OLDER in _tables(connection):
                (self.older,) = connection.execute(f"SELECT count(*) FROM {OLDER}").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if os.getpid() == self._process:  # a forked child must leave its parent's file alone
            self._connection.close()
            self._lock.release()

    def keys(self) -> set[str]:
        return {key for (key,) in self._ask("SELECT key FROM runs WHERE status = 'done'")}

    def add(self, key: str, spec: dict[str, Any], outcome: dict[str, Any], where: str | None = None) -> None:
        self._ask(_PUT, (key, _text(spec), "done", _text(outcome), None, None, where or machine(), _now()))

    def fail(self, key: str, spec: dict[str, Any], reason: str, trace: str = "", where: str | None = None) -> None:
        self._ask(_PUT, (key, _text(spec), "failed", None, reason, trace, where or machine(), _now()))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Commit all additions at the end, or none."""
        with _explained(self.path), _transaction(self._checked()):
            yield

    def read(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Outcomes of the finished runs among `keys`, by key."""
        wanted = set(keys)
        rows = self._ask("SELECT key, outcome FROM runs WHERE status = 'done'")
        return {key: _parsed(self.path, outcome) for key, outcome in rows if key in wanted}

    def failures(self, keys: Iterable[str]) -> dict[str, FailedAttempt]:
        wanted = set(keys)
        rows = self._ask("SELECT key, reason, trace, attempts FROM runs WHERE status = 'failed'")
        return {key: FailedAttempt(*rest) for key, *rest in rows if key in wanted}

    def rows(self) -> list[dict[str, Any]]:
        with _explained(self.path):
            return _rows(self._checked(), self.path)

    def _ask(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with _explained(self.path):
            return self._checked().execute(statement, values).fetchall()

    def _checked(self) -> sqlite3.Connection:
        """Connection; StudyError in a forked process, or if the file was replaced."""
        if os.getpid() != self._process:
            raise StudyError(f"{self.path}: this record is open in the process that forked this one; write there.")
        if _identity(self.path) != self._identity:
            raise StudyError(
                f"{self.path}: the record was removed or replaced while the study ran, and its runs are lost;"
                " put it back, or start again."
            )
        return self._connection


def rows(folder: Path) -> list[dict[str, Any]]:
    """Every run as one flat row, even during a study; StudyError without a record."""
    path = folder / "record.sqlite"
    if not path.is_file():
        raise StudyError(f"{path}: there is no record here; give the output folder of a study.")
    with _explained(path), closing(_connect(path)) as connection:
        connection.execute("PRAGMA query_only=1")
        if _check(connection, path) < FORMAT:
            raise StudyError(f"{path}: this record is of an older version; start its study again to bring it forward.")
        return _rows(connection, path)


# ------------------------------------------------------------------------------------------------ the file


def _connect(path: Path) -> sqlite3.Connection:
    # `_transaction` writes transactions out
    return sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)


def _check(connection: sqlite3.Connection, path: Path) -> int:
    """Format of a valid record, or 0 for an empty file; else raise StudyError."""
    ask = connection.execute
    (application,) = ask("PRAGMA application_id").fetchone()
    (found,) = ask("PRAGMA user_version").fetchone()
    tables = _tables(connection)
    if application != APPLICATION and (tables or application):
        raise StudyError(f"{path}: this is a database of another program; choose another output folder.")
    if found > FORMAT:
        raise StudyError(
            f"{path}: this record has format {found} and this slopes reads up to {FORMAT}; "
            "install a newer slopes or choose another output folder."
        )
    problems = [text for (text,) in ask("PRAGMA quick_check(1)")]
    if problems != ["ok"]:
        problem = " ".join(problems[0].removeprefix("*** in database main ***").split())
        raise StudyError(f"{path}: this record is damaged ({problem}); {_ASIDE}")
    if bool(tables) != bool(found) or (found and "runs" not in tables):
        raise StudyError(f"{path}: this record is damaged (its table is missing); {_ASIDE}")
    return int(found)


def _tables(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def _journalled(path: Path) -> sqlite3.Connection:
    if not _remote(path.parent):
        connection = _connect(path)
        with suppress(sqlite3.OperationalError):
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            connection.executescript("BEGIN IMMEDIATE; ROLLBACK")  # fails without shared memory
            if mode == "wal":
                return connection
        connection.close()
    connection = _connect(path)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA journal_mode=DELETE")
    except BaseException:
        connection.close()
        raise
    return connection


#: prefixes of file systems that several machines mount
REMOTE = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "gluster", "9p", "afs", "fuse.", "pvfs")


def _remote(folder: Path) -> bool:
    """Whether a folder is on another machine; only Linux reports that."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        device = folder.stat().st_dev
    except OSError:
        return False
    number = f"{os.major(device)}:{os.minor(device)}"
    kinds = [line.partition(" - ")[2].split()[0] for line in lines if line.split()[2] == number]
    return any(kind.startswith(REMOTE) for kind in kinds)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite may have rolled back by itself, as on a full disk
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


# ------------------------------------------------------------------------------------------------ its rows


def _rows(connection: sqlite3.Connection, path: Path) -> list[dict[str, Any]]:
    names = ("key", "spec", "status", "outcome", "reason", "trace", "attempts", "machine", "ended")
    found = []
    for values in connection.execute(f"SELECT {', '.join(names)} FROM runs ORDER BY ended, key"):
        row = dict(zip(names, values, strict=True))
        spec, outcome = _parsed(path, row.pop("spec")), _parsed(path, row.pop("outcome") or "{}")
        found.append(_flat(spec, "") | _flat(outcome, "") | row)
    return found


def _flat(value: dict[str, Any], before: str) -> dict[str, Any]:
    """Flatten nested fields to paths such as ``test.accuracy``."""
    flat: dict[str, Any] = {}
    for name, inner in value.items():
        flat |= _flat(inner, f"{before}{name}.") if isinstance(inner, dict) else {before + name: inner}
    return flat


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise StudyError(f"{path}: this record is damaged (a run is no JSON); {_ASIDE}") from error
    return value


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


# ------------------------------------------------------------------------------------------------ errors


_ASIDE = "move it aside or choose another output folder."


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind, the rest its detail
        raise StudyError(f"{path}: {_WORDS.get(code, _OTHER).format(error)}") from error


_OTHER = "cannot write the record ({}); recorded runs are safe: repair this and start again."
_DAMAGED = f"this record is damaged or no record at all ({{}}); {_ASIDE}"
_REFUSED = "cannot write here ({}); choose another output folder."
_WORDS = {
    sqlite3.SQLITE_BUSY: "another program holds this record; wait for it or choose another output folder.",
    sqlite3.SQLITE_FULL: "the disk is full; recorded runs are safe, so make room and start again.",
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_READONLY: _REFUSED,
    sqlite3.SQLITE_CANTOPEN: _REFUSED,
    sqlite3.SQLITE_PERM: _REFUSED,
}

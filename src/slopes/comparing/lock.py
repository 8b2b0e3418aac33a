"""Operating-system lock on a folder, which ends with its process.

Unlike a lock of `flock`, one of `fcntl` is not shared with a forked child. But it does not exclude its own process, and
closing a second handle releases it; so `_held` lists the folders locked here.
"""

from __future__ import annotations

import errno
import os
import platform
import sys
import threading
from contextlib import suppress
from pathlib import Path

from slopes.comparing.errors import StudyError, reason_of

_held: dict[tuple[int, int], int] = {}  # process id by folder; a fork copies this table, but not the locks
_guard = threading.Lock()


class Lock:
    """Lock of a folder, held until `release`; StudyError where it is taken or not available.

    The file stays: else two processes could lock two files of one name.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "record.lock"
        state = folder.stat()
        self._folder = (state.st_dev, state.st_ino)
        with _guard:
            if _held.get(self._folder) == os.getpid():
                raise self._taken()
            self._file = self._open()
            _held[self._folder] = os.getpid()

    def _open(self) -> int:
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise StudyError(
                f"{self.path.parent}: cannot write here ({reason_of(error)}); choose another output folder."
            ) from error
        try:
            _lock(file)
        except OSError as error:
            os.close(file)
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise self._taken() from error
            raise StudyError(
                f"{self.path.parent}: this file system has no locks ({error.strerror}), so that two studies could write"
                " one record; choose an output folder on another."
            ) from error
        with suppress(OSError):  # the disk may be full; the lock needs no name
            os.ftruncate(file, 0)
            os.write(file, f"process {os.getpid()} on {platform.node()}\n".encode())
        return file

    def _taken(self) -> StudyError:
        try:
            holder = f" ({self.path.read_text().strip()})" if _held.get(self._folder) != os.getpid() else ""
        except (OSError, ValueError):  # Windows lets nobody read a locked file
            holder = ""
        record = self.path.with_name("record.sqlite")
        return StudyError(
            f"{record}: another study is writing this record{holder}; wait for it or choose another output folder."
        )

    def release(self) -> None:
        """Release, unless in a forked child."""
        with _guard:
            if _held.get(self._folder) == os.getpid():
                del _held[self._folder]
                os.close(self._file)


if sys.platform == "win32":

    def _lock(file: int) -> None:
        import msvcrt

        os.lseek(file, 0, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:

    def _lock(file: int) -> None:
        import fcntl

        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

"""The record: never lost, never overwritten, never written by two."""

from __future__ import annotations

import signal
import sqlite3
import sys

import pytest

pytest.importorskip("torch")

from slopes.study import StudyError
from slopes.study.record import FORMAT, Record


def kept(folder):
    connection = sqlite3.connect(folder / "record.sqlite")
    try:
        return dict(connection.execute("SELECT key, outcome FROM runs").fetchall())
    finally:
        connection.close()


def test_what_is_added_is_there_at_the_next_start(tmp_path):
    with Record(tmp_path / "a" / "b") as record:
        record.add("k", {"rate": 0.1}, {"accuracy": 0.1 + 0.2, "list": [1, None]})
    with Record(tmp_path / "a" / "b") as record:
        assert record.keys() == {"k"}
        assert record.read(["k", "other"]) == {"k": {"accuracy": 0.1 + 0.2, "list": [1, None]}}


def test_a_run_is_recorded_once_and_the_first_stays(tmp_path):
    with Record(tmp_path) as record:
        record.add("k", {}, {"accuracy": 1})
        record.add("k", {}, {"accuracy": 2})
        assert record.read(["k"]) == {"k": {"accuracy": 1}}


def test_each_run_is_on_the_disk_before_the_next_is_trained(tmp_path, python):
    process = python("""
        import os, signal
        from pathlib import Path
        from slopes.study.record import Record
        record = Record(Path("."))
        record.add("k", {}, {"accuracy": 1})
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert process.wait() == -signal.SIGKILL
    assert kept(tmp_path) == {"k": '{"accuracy":1}'}


def test_two_cannot_write_one_record(tmp_path):
    message = r"record.sqlite: another study is writing this record; wait for it or choose another output folder\."
    with Record(tmp_path), pytest.raises(StudyError, match=message):
        Record(tmp_path)
    Record(tmp_path).__exit__(None, None, None)


def test_two_processes_cannot_either_and_a_killed_one_lets_go(tmp_path, python):
    process = python("""
        import time
        from pathlib import Path
        from slopes.study.record import Record
        record = Record(Path("."))
        print("open", flush=True)
        time.sleep(60)
    """)
    assert process.stdout.readline() == "open\n"
    with pytest.raises(StudyError, match="another study is writing"):
        Record(tmp_path)
    process.kill()
    process.wait()
    with Record(tmp_path) as record:
        assert record.keys() == set()


def refused(folder, message):
    """The record is refused with the message, and its bytes stay as they are."""
    before = (folder / "record.sqlite").read_bytes()
    with pytest.raises(StudyError, match=message):
        Record(folder)
    assert (folder / "record.sqlite").read_bytes() == before


def test_no_database_at_all(tmp_path):
    (tmp_path / "record.sqlite").write_text("my thesis, the only copy\n" * 100)
    refused(tmp_path, r"damaged or no record at all .*; move it aside or choose another output folder\.")


@pytest.mark.parametrize("where", ["tail cut off", "page overwritten"])
def test_a_damaged_record(tmp_path, where):
    with Record(tmp_path) as record:
        for i in range(200):
            record.add(f"{i:064d}", {}, {"curve": [i] * 200})
    path = tmp_path / "record.sqlite"
    data = bytearray(path.read_bytes())
    if where == "tail cut off":
        data = data[: len(data) // 2]
    else:
        data[8192:16384] = b"\xa5" * 8192
    path.write_bytes(data)
    refused(tmp_path, r"this record is damaged .*; move it aside or choose another output folder\.")


def test_a_run_that_is_no_json(tmp_path):
    with Record(tmp_path) as record:
        record.add("k", {}, {})
        record._connection.execute("UPDATE runs SET outcome = '{'")
        with pytest.raises(StudyError, match="this record is damaged"):
            record.read(["k"])


def test_a_newer_format(tmp_path):
    with Record(tmp_path) as record:
        record._connection.execute(f"PRAGMA user_version={FORMAT + 1}")
    refused(
        tmp_path, rf"has format {FORMAT + 1} and this slopes reads up to {FORMAT}; install a newer slopes or choose"
    )


def test_a_database_of_another_program(tmp_path):
    connection = sqlite3.connect(tmp_path / "record.sqlite")
    connection.execute("CREATE TABLE letters (text)")
    connection.close()
    refused(tmp_path, r"a database of another program; choose another output folder\.")


def test_an_empty_file_is_a_start_that_was_killed(tmp_path):
    (tmp_path / "record.sqlite").touch()
    with Record(tmp_path) as record:
        assert record.keys() == set()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match=r"file/out: cannot make this output folder \(.+\); choose another\."):
        Record(tmp_path / "file" / "out")


def test_a_folder_where_the_record_should_be(tmp_path):
    (tmp_path / "record.sqlite").mkdir()
    with pytest.raises(StudyError, match=r"cannot write here \(.+\); choose another output folder\."):
        Record(tmp_path)


def test_a_record_that_must_not_be_written(tmp_path, monkeypatch):
    """The superuser may write anywhere, so that SQLite itself is told to open the file for reading only."""
    Record(tmp_path).__exit__(None, None, None)
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, **options: connect(f"file:{path}?mode=ro", uri=True, **options)
    )
    with (
        Record(tmp_path) as record,
        pytest.raises(StudyError, match=r"cannot write here \(.*readonly.*\); choose another"),
    ):
        record.add("k", {}, {})


def test_a_full_disk(tmp_path):
    with Record(tmp_path) as record:
        record.add("k", {}, {"accuracy": 1})
        (pages,) = record._connection.execute("PRAGMA page_count").fetchone()
        record._connection.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(
            StudyError, match="the disk is full; what was recorded is safe, so make room and start again"
        ):
            record.add("l", {}, {"curve": [0.5] * 100_000})
    assert kept(tmp_path) == {"k": '{"accuracy":1}'}
    with Record(tmp_path) as record:
        record.add("l", {}, {})
        assert record.keys() == {"k", "l"}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no resource limits on Windows")
def test_a_disk_that_takes_no_more(tmp_path, python):
    process = python("""
        import resource
        from pathlib import Path
        from slopes.study import StudyError
        from slopes.study.record import Record
        with Record(Path(".")) as record:
            record.add("k", {}, {"accuracy": 1})
            resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
            try:
                record.add("l", {}, {"curve": [0.5] * 100_000})
            except StudyError as error:
                print(error)
    """)
    out, err = process.communicate()
    assert "what was recorded is safe" in out, err
    assert kept(tmp_path) == {"k": '{"accuracy":1}'}

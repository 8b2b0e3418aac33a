"""The record: never lost, never overwritten, never written by two."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from contextlib import suppress

import pytest

pytest.importorskip("torch")

from slopes.comparing import StudyError
from slopes.comparing import record as module
from slopes.comparing.record import FORMAT, OLDER, FailedAttempt, Record, rows


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
        from slopes.comparing.record import Record
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


def test_two_processes_cannot_either_and_a_killed_one_lets_go(tmp_path, writer):
    with pytest.raises(StudyError, match=rf"another study is writing this record \(process {writer.pid} on .+\); wait"):
        Record(tmp_path)
    writer.kill()
    writer.wait()
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


@pytest.mark.skipif(sys.platform == "win32", reason="needs permissions as POSIX has them")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_record_that_must_not_be_written(what, python):
    """The superuser may write anywhere, so that a superuser's test becomes nobody first."""
    process = python(f"""
        import os, tempfile
        from pathlib import Path
        from slopes.comparing import StudyError
        from slopes.comparing.record import Record
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            with Record(Path(folder)) as record:
                record.add("k", {{}}, {{}})
            os.chmod(folder, 0o777)
            os.chmod(folder + "/record.lock", 0o666)
            os.chmod(folder + "/record.sqlite", 0o444)
            if {what!r} == "folder":
                os.unlink(folder + "/record.lock")
                os.chmod(folder, 0o555)
            if os.getuid() == 0:
                os.seteuid(65534)
            try:
                Record(Path(folder))
            except StudyError as error:
                print(error)
            if os.getuid() == 0:
                os.seteuid(0)
            os.chmod(folder, 0o777)
    """)
    out, err = process.communicate()
    assert "cannot write here (permission denied); choose another output folder." in out, err


def test_a_full_disk(tmp_path):
    with Record(tmp_path) as record:
        record.add("k", {}, {"accuracy": 1})
        (pages,) = record._connection.execute("PRAGMA page_count").fetchone()
        record._connection.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StudyError, match="the disk is full; recorded runs are safe, so make room and start again"):
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
        from slopes.comparing import StudyError
        from slopes.comparing.record import Record
        with Record(Path(".")) as record:
            record.add("k", {}, {"accuracy": 1})
            resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
            try:
                record.add("l", {}, {"curve": [0.5] * 100_000})
            except StudyError as error:
                print(error)
    """)
    out, err = process.communicate()
    assert "recorded runs are safe" in out, err
    assert kept(tmp_path) == {"k": '{"accuracy":1}'}


def test_a_folder_that_vanishes_while_a_study_runs(tmp_path):
    folder = tmp_path / "out"
    with Record(folder) as record:
        record.add("k", {}, {})
        folder.rename(tmp_path / "elsewhere")
        message = r"the record was removed or replaced while the study ran, .*; put it back, or start again\."
        with pytest.raises(StudyError, match=message):
            record.add("l", {}, {})
        (tmp_path / "elsewhere").rename(folder)
        record.add("l", {}, {})
    assert set(kept(folder)) == {"k", "l"}


def test_a_record_that_another_takes_the_place_of(tmp_path):
    with Record(tmp_path / "other") as other:
        other.add("m", {}, {})
    with Record(tmp_path / "out") as record:
        (tmp_path / "other" / "record.sqlite").replace(tmp_path / "out" / "record.sqlite")
        with pytest.raises(StudyError, match="removed or replaced"):
            record.add("l", {}, {})
        with pytest.raises(StudyError, match="removed or replaced"):
            record.read(["m"])


# ------------------------------------------------------------------------------------------------ failures


def test_a_failed_run_is_kept_with_its_reason_and_tried_again(tmp_path):
    for attempts in (1, 2):
        with Record(tmp_path) as record:
            record.fail("k", {"seed": 3}, "ArithmeticError: no", "Traceback ...")
            assert record.failures(["k", "l"]) == {"k": FailedAttempt("ArithmeticError: no", "Traceback ...", attempts)}
            assert record.keys() == set()
            assert record.read(["k"]) == {}
    with Record(tmp_path) as record:
        record.add("k", {"seed": 3}, {"accuracy": 1}, where="there")
        assert record.failures(["k"]) == {}
        assert record.read(["k"]) == {"k": {"accuracy": 1}}
        (row,) = record.rows()
    assert (row["attempts"], row["machine"], row["reason"], row["seed"]) == (3, "there", None, 3)


def test_a_run_that_has_ended_well_never_fails(tmp_path):
    with Record(tmp_path) as record:
        record.add("k", {}, {"accuracy": 1})
        record.fail("k", {}, "no")
        assert record.read(["k"]) == {"k": {"accuracy": 1}}
        (row,) = record.rows()
    assert (row["status"], row["attempts"]) == ("done", 1)


def test_a_chunk_goes_in_whole_or_not_at_all(tmp_path):
    with Record(tmp_path) as record:
        with suppress(ArithmeticError), record.together():
            record.add("k", {}, {})
            raise ArithmeticError
        assert record.keys() == set()
        with record.together():
            record.add("k", {}, {})
            record.fail("l", {}, "no")
        assert record.keys() == {"k"}
        assert set(record.failures("l")) == {"l"}


# ------------------------------------------------------------------------------------------------ journals and locks


def test_others_may_read_while_a_study_writes(tmp_path):
    with Record(tmp_path) as record:
        record.add("k", {"a": {"b": 1}}, {"test": {"accuracy": 0.5}})
        (row,) = rows(tmp_path)
        record.add("l", {}, {})
        assert len(rows(tmp_path)) == 2
    assert row["a.b"] == 1
    assert row["test.accuracy"] == 0.5
    assert not list(tmp_path.glob("record.sqlite-*")), "the journal is folded in at the end"
    with pytest.raises(StudyError, match="there is no record here; give the output folder of a study"):
        rows(tmp_path / "nowhere")


@pytest.mark.parametrize("why", ["no shared memory", "a network folder", "both, after a write-ahead log"])
def test_without_a_write_ahead_log_there_is_a_rollback_journal(tmp_path, monkeypatch, why):
    expected = 1
    if why.startswith("both"):
        with Record(tmp_path) as record:
            record.add("j", {}, {})
        expected = 2
    if why != "a network folder":
        (tmp_path / "record.sqlite-shm").mkdir()  # where SQLite would map its shared memory
    if why != "no shared memory":
        monkeypatch.setattr(module, "_remote", lambda folder: True)
    with Record(tmp_path) as record:
        assert record._connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        record.add("k", {}, {})
        monkeypatch.setattr(module, "WAIT", 0.1)
        with pytest.raises(StudyError, match="another program holds this record"):
            rows(tmp_path)
    assert len(kept(tmp_path)) == expected


def test_a_network_folder_is_known_by_its_file_system(tmp_path, monkeypatch):
    device = tmp_path.stat().st_dev
    table = "1 2 {}:{} / /home rw - {} server:/home rw\n"
    for kind, remote in (("ext4", False), ("nfs4", True), ("lustre", True), ("fuse.sshfs", True), ("fuseblk", False)):
        text = table.format(module.os.major(device), module.os.minor(device), kind)
        monkeypatch.setattr(module.Path, "read_text", lambda path, text=text: text)
        assert module._remote(tmp_path) is remote


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_neither_writes_nor_holds_the_lock_nor_ends_the_journal(tmp_path, python):
    process = python("""
        import os, sys, time
        from pathlib import Path
        from slopes.comparing import StudyError
        from slopes.comparing.record import Record
        with Record(Path(".")) as record:
            record.add("k", {}, {})
            child = os.fork()
            if not child:
                try:
                    record.add("x", {}, {})
                except StudyError as error:
                    print(error, flush=True)
                sys.exit()  # unwinds, through the record's end
            os.waitpid(child, 0)
            record.add("l", {}, {})
            if not os.fork():
                time.sleep(600)
            os.kill(os.getpid(), 9)
    """)
    assert "open in the process that forked this one" in process.stdout.readline()
    process.wait()
    with Record(tmp_path) as record:  # while the second child lives on
        assert record.keys() == {"k", "l"}


# ------------------------------------------------------------------------------------------------ the first format


def test_the_first_format_is_kept_aside(tmp_path):
    connection = sqlite3.connect(tmp_path / "record.sqlite")
    connection.executescript(f"""
        PRAGMA application_id={module.APPLICATION}; PRAGMA user_version=1;
        CREATE TABLE runs (key TEXT PRIMARY KEY, spec TEXT NOT NULL, outcome TEXT NOT NULL, ended TEXT NOT NULL)
            WITHOUT ROWID;
        INSERT INTO runs VALUES ('k', '{{}}', '{{"accuracy":1}}', '2026-01-01'), ('l', '{{}}', '{{}}', '2026-01-02');
    """)
    connection.close()
    with pytest.raises(StudyError, match="this record is of an older version; start its study again"):
        rows(tmp_path)
    for _ in range(2):
        with Record(tmp_path) as record:
            assert record.older == 2
            assert record.keys() == set()
    connection = sqlite3.connect(tmp_path / "record.sqlite")
    assert connection.execute(f"SELECT key, outcome FROM {OLDER}").fetchall() == [("k", '{"accuracy":1}'), ("l", "{}")]
    connection.close()

"""`slopes compare` end to end: one line and a status for whatever may befall its folder, and an interrupt."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("click")

from click.testing import CliRunner
from test_executing import assert_gone, needs_proc, workers_of

import slopes
from slopes import cli
from slopes.comparing import StudyError
from slopes.comparing import record as module
from slopes.comparing.record import FORMAT, Record

ASKED = ["--activations=relu", "--losses=mse", "--seeds=2", "--epochs=1", "--rates=0.01", "--workers=1"]


def run(folder):
    return CliRunner().invoke(cli.main, ["compare", *ASKED, "--out", str(folder)])


def refused(folder, message):
    """By the command in one line, with status 2, and by the function with the same words; the record stays as it is."""
    told = run(folder)
    assert told.exit_code == 2, told.output
    assert told.stdout == ""
    *progress, line = told.stderr.splitlines()
    assert all(each.startswith("compare: ") for each in progress)
    assert line.startswith("slopes: ")
    assert message in line
    with pytest.raises(StudyError) as caught:
        slopes.compare(
            activations=[slopes.relu], losses=[slopes.mse], seeds=2, epochs=1, rates=[0.01], workers=1, out=folder,
            progress=False,
        )  # fmt: skip
    assert message in str(caught.value)


def test_a_study_by_command(tmp_path):
    told = run(tmp_path / "out")
    assert told.exit_code == 0, told.output
    assert f"report: {tmp_path / 'out' / 'report.html'}" in told.stdout
    assert len(module.rows(tmp_path / "out")) == 2


def test_several_tasks_by_command(tmp_path):
    asked = ["compare", "mlp(hidden=4)", "--tasks=digits,diabetes", "--activations=relu,tanh", *ASKED[2:]]
    told = CliRunner().invoke(cli.main, [*asked, "--out", str(tmp_path), "--export", str(tmp_path / "runs.csv")])
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("Ranks of activations\nOver 2 tasks the two activations are not shown to differ")
    assert told.stdout.endswith(f"report: {tmp_path / 'report.html'}\n")
    assert len((tmp_path / "runs.csv").read_text().splitlines()) > 8
    again = CliRunner().invoke(cli.main, [*asked, "--out", str(tmp_path), "--json"])
    assert [row["mean_rank"] for row in json.loads(again.stdout)["activations"]] in ([1, 2], [1.5, 1.5])
    wrong = CliRunner().invoke(cli.main, ["compare", "mlp", "digits", "--tasks=digits,diabetes"])
    assert wrong.exit_code == 2
    assert "--tasks goes without DATA and --metric." in wrong.stderr


def test_a_dry_run_trains_nothing(tmp_path):
    asked = ["compare", *ASKED, "--engine=stack", "--out", str(tmp_path / "out"), "--dry-run"]
    told = CliRunner().invoke(cli.main, asked)
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("2 runs to train in 1 process, up to 2 side by side.\nAbout ")
    assert json.loads(CliRunner().invoke(cli.main, [*asked, "--json"]).stdout)["runs"] == 2
    assert not (tmp_path / "out").exists()


def test_several_targets_by_command(tmp_path):
    rows = [f"{n},{n % 7},{n % 5},{n % 3}" for n in range(40)]
    (tmp_path / "houses.csv").write_text("\n".join(["size,price,rent,age", *rows]))
    asked = ["compare", "mlp(hidden=4)", str(tmp_path / "houses.csv"), *ASKED, "--target=price,rent"]
    told = CliRunner().invoke(cli.main, [*asked, "--out", str(tmp_path), "--json"])
    assert told.exit_code == 0, told.output
    assert slopes.comparing.Study.load(tmp_path).metric().name == "rmse"


def test_a_record_that_is_none(tmp_path):
    (tmp_path / "record.sqlite").write_text("my thesis, the only copy\n" * 100)
    refused(tmp_path, "this record is damaged or no record at all")
    assert (tmp_path / "record.sqlite").read_text().startswith("my thesis")


def test_a_record_of_a_newer_slopes(tmp_path):
    with Record(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "record.sqlite")) as connection:
        connection.execute(f"PRAGMA user_version={FORMAT + 1}")
    refused(tmp_path, f"this record has format {FORMAT + 1} and this slopes reads up to {FORMAT}; install a newer")


def test_another_study_that_writes(tmp_path, writer):
    refused(tmp_path, f"another study is writing this record (process {writer.pid} on ")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    refused(tmp_path / "file" / "out", "cannot make this output folder")


@pytest.mark.skipif(sys.platform == "win32", reason="needs permissions as POSIX has them")
def test_a_folder_that_must_not_be_written():
    """The superuser may write anywhere, so that a superuser's test becomes nobody."""
    before = os.geteuid()
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # where nobody may look
        folder = Path(name) / "out"
        folder.mkdir(mode=0o555)
        os.chmod(name, 0o755)
        if before == 0:
            os.seteuid(65534)
        try:
            refused(folder, "cannot write here (permission denied); choose another output folder.")
        finally:
            os.seteuid(before)
        assert list(folder.iterdir()) == []


def test_a_disk_that_fills_while_it_trains(tmp_path, monkeypatch):
    journalled = module._journalled

    def full(path):
        connection = journalled(path)
        connection.execute("PRAGMA max_page_count=2")
        return connection

    monkeypatch.setattr(module, "_journalled", full)
    refused(tmp_path, "the disk is full; recorded runs are safe, so make room and start again.")
    monkeypatch.undo()
    assert run(tmp_path).exit_code == 0
    assert len(module.rows(tmp_path)) == 2


@needs_proc
def test_an_interrupt_is_one_line_and_keeps_what_ended(tmp_path, python):
    process = python("""
        import sys
        from slopes.cli import main
        from slopes.comparing import plan
        plan.STACK = 2  # small chunks, of which some have ended
        main("compare --losses mse --seeds 10 --epochs 3 --workers 2 --out out".split())
    """)
    lines = [process.stderr.readline(), process.stderr.readline()]
    workers = workers_of(process.pid)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert out == ""
    lines += [line for line in err.splitlines() if line]
    assert all(line.startswith("compare: ") for line in lines[:-1])
    assert len(workers) == 2
    assert_gone(workers)
    done = len(module.rows(tmp_path / "out"))
    assert 0 < done < 240
    kept = f"{Path('out', 'record.sqlite')} keeps {done} of 240 runs: the same call goes on from there"
    assert lines[-1] == f"slopes: interrupted; {kept}"

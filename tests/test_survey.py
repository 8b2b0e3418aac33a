"""The audit of many subjects: which are found, how each ends, and what is written of it, as other programs read it."""

import json
import os
import pathlib
import pickle
import re
import shutil
import sqlite3
import subprocess
import textwrap
import time
import tomllib
from xml.etree import ElementTree

import pytest

pytest.importorskip("torch")
pytest.importorskip("flint")

from click.testing import CliRunner

from slopes import cli
from slopes.auditing import Finding, Report, child, survey
from slopes.auditing.survey import Case, CaseResult
from slopes.auditing.survey.definitions import find_definition, find_definitions

ROOT = pathlib.Path(__file__).parents[1]

# ------------------------------------------------------------------------------------------------ what is found


def found(source, pattern=None):
    return {x.name: x.obstacle for x in find_definitions(textwrap.dedent(source).encode(), pattern)}


SUBJECTS = """
def dice_loss(prediction, target): ...
def loss_fn(a, b, *, smooth=1.0): ...
def criterion(*arguments): ...
class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0): ...
    def forward(self, logits, labels): ...
class FocalLossV2(FocalLoss): ...
class BCELoss:
    def __call__(self, p, y): ...
class SetCriterion(torch.nn.Module): ...
def huber(x, y): ...
def mish(x, inplace=False): ...
class ReLU6(nn.Module):
    def forward(self, x): ...
def my_activation(x): ...
@slopes.loss("regression")
def anything(x, y): ...
@activation()
def other(x): ...
if torch.cuda.is_available():
    def fused_loss(p, t): ...
else:
    def plain_loss(p, t): ...
try:
    import fast
except ImportError:
    class SlowLoss(nn.Module): ...
"""


def test_losses_and_activations_are_found_by_name_decorator_and_arguments():
    names = re.findall(r"^\s*(?:def|class) (\w+)", SUBJECTS, flags=re.M)
    wanted = [name for name in names if name not in ("forward", "__init__", "__call__")]
    assert found(SUBJECTS) == dict.fromkeys(wanted, "")


OTHERS = """
from elsewhere import BorrowedLoss, mse
import elsewhere.dice as dice
def _private_loss(p, t): ...
def test_my_loss(p, t): ...
class TestLoss: ...
def train(model, data): ...
class LossTracker(nn.Module): ...
class Activation(str, enum.Enum): ...
class Loss: ...
def linear(x, weight): ...
def threshold(image): return image
def lossy(a, b): ...
def flossing(a, b): ...
my_loss = FocalLoss()
class Net(nn.Module):
    def loss(self, p, t): ...
def outer():
    def inner_loss(p, t): ...
if __name__ == "__main__":
    def main_loss(p, t): ...
if TYPE_CHECKING:
    def typed_loss(p, t): ...
"""


def test_other_things_are_no_subjects():
    assert found(OTHERS) == {"threshold": ""}


OBSTACLES = {
    "class WideLoss(nn.Module):\n    def __init__(self, classes, *, device): ...":
        "it cannot be made without arguments: name it with them, as FILE:WideLoss(classes=…, device=…)",
    "class BaseLoss(nn.Module):\n    def forward(self, p, t):\n        raise NotImplementedError": "its forward is abstract",
    "class BaseLoss(ABC):\n    @abstractmethod\n    def __call__(self, p, t): ...": "its __call__ is abstract",
    "class BackLoss(torch.autograd.Function): ...":
        "an autograd.Function has no call of its own: audit the function that applies it",
    "def plot_loss(train, test): ...": "its name begins with 'plot', so it is no loss itself",
    "def batch_loss(model, batch): ...": "it takes model and batch, not a prediction and a target",
    "def step_loss(values): ...": "it takes values, not a prediction and a target",
    "def bound_loss(p, t, *, gamma): ...": "it cannot be called without gamma: bind them with functools.partial",
    "class StepLoss(nn.Module):\n    def forward(self, batch, t): ...": "it takes batch, not a prediction and a target",
    "def gate_activation(x, y): ...": "it takes x and y, not one tensor",
}  # fmt: skip


@pytest.mark.parametrize("source", OBSTACLES)
def test_obstacles_are_seen_in_the_source(source):
    assert list(found(source).values()) == [OBSTACLES[source]]


def test_a_pattern_chooses_names_instead():
    source = "def plot_loss(a): ...\ndef focal(p, t): ...\ndef _focal(p, t): ...\nclass Other: ...\n"
    assert found(source, "*focal") == {"focal": ""}
    assert found(source, "_foc*") == {"_focal": ""}
    assert found(source, "plot_*") == {"plot_loss": ""}


def test_lines_are_those_of_the_definition():
    source = b"import x\n\n@x.loss(\n    'regression'\n)\ndef mine(p, t):\n    return p\n\nlate = x.partial(mine)\n"
    (definition,) = find_definitions(source)
    assert (definition.line, definition.lines) == (6, (3, 7))
    assert find_definition(source, "late").lines == (9, 9)
    assert find_definition(source, "missing") is None


def test_reading_a_source_warns_of_nothing():
    assert found("path = '\\d'\ndef a_loss(p, t): ...\n") == {"a_loss": ""}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A working directory with a loss in each of several files."""
    for name in (
        *("a.py", "src/b.py", "src/deep/c.py", "build/d.py", ".hidden/e.py", "src/__pycache__/f.py", "env/lib/g.py"),
        *("src/.h.py", "src/notes.txt", "relu/i.py"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"def {path.stem.strip('.')}_loss(p, t):\n    return (p - t).square().mean()\n")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def places(*names, **options):
    return [f"{case.file}:{case.name}" for case in survey.find_cases(names, **options)]


def test_folders_are_searched_but_for_hidden_ones_environments_and_builds(tree):
    assert places(".") == ["a.py:a_loss", "relu/i.py:i_loss", "src/b.py:b_loss", "src/deep/c.py:c_loss"]
    assert places("build", "env") == ["build/d.py:d_loss", "env/lib/g.py:g_loss"]  # one's wish is done


def test_names_paths_and_both_at_once(tree):
    assert places("a.py", "src", "./a.py") == ["a.py:a_loss", "src/b.py:b_loss", "src/deep/c.py:c_loss"]
    assert places("relu", "relu/") == ["None:relu", "relu/i.py:i_loss"]  # the card, then the folder
    (case,) = survey.find_cases(["a.py:a_loss"])
    assert (case.name, case.place, case.is_named) == ("a_loss", "a.py:1", True)
    (case,) = survey.find_cases(["src/b.py:Missing(gamma=2)"])
    assert (case.name, case.place) == ("Missing(gamma=2)", "src/b.py:1")


def test_a_file_that_cannot_be_read_is_a_case(tree):
    (tree / "a.py").write_text("import os\ndef f(:\n")
    (case,) = survey.find_cases(["a.py"])
    assert (case.place, case.unreadable) == ("a.py:2", "SyntaxError: invalid syntax")


# ---------------------------------------------------------------------------------------------- what changed


def git(*arguments):
    names = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *names, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    if shutil.which("git") is None:
        pytest.skip("needs git")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    bodies = "".join(f"def {name}_loss(p, t):\n    p = p + 0\n    return p - t\n\n\n" for name in "abcd")
    (tmp_path / "losses.py").write_text(bodies)
    for unchanged in ("same.py", "[l]osses.py"):
        (tmp_path / unchanged).write_text(bodies)
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    return tmp_path


def test_only_subjects_with_changed_lines_are_kept(repository):
    lines = (repository / "losses.py").read_text().splitlines()
    lines[14:15] = ["X = 1"]  # before d
    del lines[11]  # a line of c
    lines[7] = "    return t - p"  # the last line of b
    del lines[3:5]  # after a
    (repository / "losses.py").write_text("\n".join(lines))
    assert places(".", changed_since="HEAD") == ["losses.py:b_loss", "losses.py:c_loss"]
    git("commit", "-am", "second")
    assert places(".", "same.py:a_loss", "relu", changed_since="HEAD") == []
    assert places("losses.py:c_loss", "losses.py:d_loss", changed_since="HEAD~") == ["losses.py:c_loss"]
    assert places("same.py", "losses.py:c_loss", changed_since="HEAD~...") == ["losses.py:c_loss"]


def test_a_new_file_counts_once_git_knows_it(repository):
    (repository / "new [1].py").write_text("def new_loss(p, t): ...")
    git("mv", "same.py", "moved.py")
    assert places(".", changed_since="HEAD") == [f"moved.py:{name}_loss" for name in "abcd"]
    git("add", ".")
    assert places("new [1].py", changed_since="HEAD") == ["new [1].py:new_loss"]


@pytest.mark.parametrize("revision", ["nowhere", "--output=written", "-p"])
def test_a_revision_that_git_does_not_know(repository, revision):
    ended = CliRunner().invoke(cli.main, ["audit", "losses.py", "--changed-since", revision])
    assert ended.exit_code == 2
    assert f"git knows no changes of losses.py since {revision!r}: " in ended.stderr
    assert not (repository / "written").exists()


# ------------------------------------------------------------------------------------------- how each case ends

PLANTED = """
import os, time
import torch
from torch.nn import functional as F

def good_loss(prediction, target):
    return F.mse_loss(prediction, target)

def elu(x):
    return torch.where(x > 0, x, torch.exp(x) - 1)

def hanging_loss(p, t):
    time.sleep(1000)

def dying_loss(p, t):
    os._exit(3)
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results of the planted subjects, by name, as audited in processes of their own."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "planted.py").write_text(PLANTED)
    (folder / "broken.py").write_text("def f(:\n")
    before = os.getcwd()
    os.chdir(folder)
    try:
        (hanging,) = survey.find_cases(["planted.py"], pattern="hanging*")
        others = [case for case in survey.find_cases(["."]) if case != hanging]
        came = [*survey.audit_cases([hanging], time_limit=5.0), *survey.audit_cases(others, workers=2, quick=True)]
    finally:
        os.chdir(before)
    return {result.case.name: result for result in came}


def test_each_subject_ends_in_a_line(results):
    assert {name: survey.formats.summary(result) for name, result in results.items()} == {
        "hanging_loss": "1 error: training hangs: it gives no answer within 5 s when it was first called, at planted.py, line 13 in hanging_loss",
        "broken.py": "1 error: training cannot start: its file cannot be read: SyntaxError: invalid syntax",
        "good_loss": "ok, 1 note",
        "elu": "1 error: extreme_inputs",
        "dying_loss": "1 error: training dies: it ends its process with status 3 when it was first called",
    }


def case(name="a_loss", **others):
    return Case(**{"name": name, "subject": f"losses.py:{name}", "file": "losses.py", **others})


def audited(monkeypatch, cases, audit, **options):
    monkeypatch.setattr("slopes.auditing.audit", audit)
    return list(survey.audit_cases(cases, **options))


def test_an_early_end_ends_the_processes(tmp_path):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(1000)\n")
    cases = [
        case(obstacle="none of it"),
        *(case(name, file="slow.py", subject=f"{tmp_path}/slow.py:f") for name in "bc"),
    ]
    coming = survey.audit_cases(cases, workers=2)
    next(coming)
    start = time.monotonic()
    coming.close()
    assert time.monotonic() - start < 30
    assert not child._running


def test_results_come_in_order_whichever_ends_first(monkeypatch):
    def audit(subject):
        time.sleep(0.2 if "first" in subject else 0)
        ended.append(subject)
        return Report(subject)

    ended = []
    names = ("first", "second", "third")
    came = audited(monkeypatch, [case(name) for name in names], audit, workers=2)
    assert [result.case.name for result in came] == list(names)
    assert ended[-1] == "losses.py:first"


def test_a_file_that_does_not_run_is_an_error(monkeypatch):
    def audit(subject, **options):
        raise ImportError("losses.py, line 1: ModuleNotFoundError: No module named 'missing'")

    (lost,) = audited(monkeypatch, [case()], audit)
    assert survey.formats.summary(lost) == (
        "1 error: training cannot start: its file does not run: losses.py, line 1: ModuleNotFoundError: No module named 'missing'"
    )
    assert lost.is_lost
    with pytest.raises(ImportError, match="No module named 'missing'"):
        audited(monkeypatch, [case(is_named=True)], audit)


def test_what_is_no_loss_after_all_is_skipped(monkeypatch):
    def audit(subject, **options):
        if "class" in subject:
            raise TypeError("audit: it cannot be made")
        fault = Finding("calling", "raises KeyError: 0, however it is called", "", "")
        return Report(subject, [fault], ["calling"], is_refused=True)

    cases = [case("class"), case("function"), case("function", is_named=True)]
    first, second, named = audited(monkeypatch, cases, audit)
    assert (first.report, first.obstacle) == (None, "it cannot be made")
    assert (second.report, second.obstacle) == (None, "raises KeyError: 0, however it is called")
    assert not named.ok  # the user says that it is one
    with pytest.raises(TypeError, match="it cannot be made"):
        audited(monkeypatch, [case("class", is_named=True)], audit)


# ------------------------------------------------------------------------------------------------- the formats

NASTY = CaseResult(
    case("nasty", file="a,b:c%.py", line=3),
    Report(
        "nasty",
        [Finding("saturation", "50%0A of\n\x1b[1mit\x00", "f(x)", "less", "warning", "::error::no")],
        ["saturation"],
    ),
)
SKIPPED = CaseResult(case("other", line=9), obstacle="it cannot be made")
CARD = CaseResult(
    Case("relu", "relu", is_named=True), Report("relu", [Finding("no_nan", "NaN", "f(x)", "none", "note")])
)


@pytest.fixture(scope="module")
def everything(results):
    return [*results.values(), NASTY, SKIPPED, CARD]


def written(style, results, **options):
    writer = survey.FORMATS[style]([result.case for result in results], **options)
    return "".join([*map(writer.each, results), writer.end(results)])


def test_text(everything):
    lines = written("text", everything).splitlines()
    assert lines[-4:] == [
        "nasty         a,b:c%.py:3    1 warning: saturation",
        "other         losses.py:9    skipped: it cannot be made",
        "relu                         ok, 1 note",
        "8 subjects: 2 ok, 5 faulty, 1 skipped; 4 errors, 1 warning, 2 notes",
    ]
    details = written("text", everything, details=True)
    assert "\nwarning: saturation: 50%0A of" in details
    assert details.startswith("\n".join(lines[:-1]))
    assert details.endswith(lines[-1] + "\n")
    assert written("text", []) == "nothing to audit: no loss or activation found\n"


def test_text_of_one_subject_has_its_details(results):
    assert "see it:" in written("text", [results["elu"]])
    assert written("text", [CARD, CARD]) == f"{CARD.report}\n" * 2  # of named ones the reports, as ever


def test_json(everything):
    read = {entry["subject"].rpartition(":")[2]: entry for entry in json.loads(written("json", everything))}
    assert read["elu"]["ok"] is False
    assert (read["elu"]["file"], read["elu"]["line"]) == ("planted.py", 9)
    assert read["other"] == {"subject": "other", "file": "losses.py", "line": 9, "not_audited": "it cannot be made"}


def schema(name):
    """Return a schema of SchemaStore's, from a package that carries them all."""
    package = pytest.importorskip("importlib.metadata").distribution
    try:
        place = package("schemastore").locate_file("schemastore/cache.sqlite")
    except ModuleNotFoundError:
        pytest.skip("needs schemastore")
    with sqlite3.connect(f"file:{place}?mode=ro", uri=True) as store:
        texts = (pickle.loads(value) for (value,) in store.execute("SELECT value FROM responses"))
        return next(json.loads(x["_content"]) for x in texts if x["request"]["url"].endswith(f"/{name}.json"))


def test_sarif_is_as_its_schema_says(everything):
    jsonschema = pytest.importorskip("jsonschema")
    log = json.loads(written("sarif", everything))
    jsonschema.Draft7Validator(schema("sarif-2.1.0")).validate(log)
    (run,) = log["runs"]
    results = [(entry["ruleId"], entry["level"], *place_of(entry)) for entry in run["results"]]
    assert ("extreme_inputs", "error", "planted.py", 9) in results
    assert ("saturation", "warning", "a%2Cb%3Ac%25.py", 3) in results
    assert [entry["message"]["text"] for entry in run["results"]][-1].startswith("relu: NaN\n    see it:   f(x)\n")
    for entry in run["results"]:
        assert run["tool"]["driver"]["rules"][entry["ruleIndex"]]["id"] == entry["ruleId"]
    (skipped,) = run["invocations"][0]["toolExecutionNotifications"]
    assert skipped["message"]["text"] == "other: skipped: it cannot be made"
    assert place_of(skipped) == ("losses.py", 9)


def place_of(entry):
    place = entry["locations"][0].get("physicalLocation")
    return (place["artifactLocation"]["uri"], place["region"]["startLine"]) if place else ()


def test_rules_of_sarif_link_to_the_pages(everything):
    home = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Homepage"]
    rules = {rule["id"]: rule for rule in survey.sarif.log_of(everything)["runs"][0]["tool"]["driver"]["rules"]}
    assert set(rules) >= {"extreme_inputs", "calling", "no_nan"}
    assert rules["extreme_inputs"]["shortDescription"]["text"] == "NaN or infinity for large numbers"
    for name, rule in rules.items():
        page = "cards" if name == "no_nan" else name
        assert rule["helpUri"] == f"{home}/blob/main/docs/audit/{page}.md"
        assert (ROOT / f"docs/audit/{page}.md").exists()


def test_a_place_in_sarif_is_relative_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file, uri in (
        ("a/ü.py", "a/%C3%BC.py"),
        (str(tmp_path / "b.py"), "b.py"),
        ("../c d.py", (tmp_path.parent / "c d.py").as_uri()),
    ):
        result = CaseResult(case(file=file), NASTY.report)
        (entry,) = survey.sarif.log_of([result])["runs"][0]["results"]
        assert place_of(entry)[0] == uri


COMMAND = re.compile(r"^::(?P<level>error|warning|notice) (?P<properties>[^:]*)::(?P<message>.*)$")


def read_commands(text):
    """Read workflow commands as GitHub's runner does."""
    unescaped = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}

    def unescape(text):
        return re.sub("|".join(unescaped), lambda found: unescaped[found[0]], text)

    for line in text.splitlines():
        if line.startswith("::"):
            command = COMMAND.match(line)
            pairs = (pair.partition("=") for pair in command["properties"].split(","))
            yield command["level"], {key: unescape(value) for key, _, value in pairs}, unescape(command["message"])


def test_github(everything):
    text = written("github", everything)
    commands = list(read_commands(text))
    assert len(commands) == sum(len(result.findings) for result in everything)
    level, properties, message = next(command for command in commands if "elu" in command[1]["title"])
    assert (level, properties) == ("error", {"file": "planted.py", "line": "9", "title": "elu: extreme_inputs"})
    assert "\n    see it:   import torch\n" in message
    level, properties, message = commands[-2]
    assert (level, properties["file"], properties["line"]) == ("warning", "a,b:c%.py", "3")
    assert message.startswith("50%0A of\n\x1b[1mit\x00\n    came:     ::error::no\n")
    level, properties, _ = commands[-1]
    assert (level, properties) == ("notice", {"title": "relu: no_nan"})
    rest = [line for line in text.splitlines() if not line.startswith("::")]
    assert rest == written("text", everything).splitlines()


def test_junit(everything):
    suites = ElementTree.fromstring(written("junit", everything))
    (suite,) = suites
    assert (suites.tag, suite.tag) == ("testsuites", "testsuite")
    counts = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 8, "failures": 2, "errors": 3, "skipped": 1}
    cases = {element.get("name"): element for element in suite}
    assert cases["elu"].get("classname") == "planted"
    assert cases["elu"].find("failure").get("message") == "1 error: extreme_inputs"
    assert "expected:" in cases["elu"].find("failure").text
    assert "gives no answer within 5 s" in cases["hanging_loss"].find("error").get("message")
    assert cases["other"].find("skipped").get("message") == "it cannot be made"
    assert "50%0A of\n\ufffd[1mit\ufffd" in cases["nasty"].find("failure").text
    assert "note: " in cases["good_loss"].find("system-out").text
    assert float(cases["good_loss"].get("time")) > 0


# --------------------------------------------------------------------------------------------- the command line


@pytest.fixture
def command(tree, monkeypatch):
    """Run `slopes audit` with audits that find one error in each subject called `a_loss`."""

    def audit(subject, **options):
        asked.append((subject, options))
        faults = [Finding("saturation", "no slope", "f(x)", "less")] if subject.endswith("a_loss") else []
        return Report(subject, faults, ["saturation"], facts=["a loss"])

    def run(*arguments):
        return CliRunner().invoke(cli.main, ["audit", *arguments])

    asked = []
    monkeypatch.setattr("slopes.auditing.audit", audit)
    run.asked = asked
    return run


def test_the_command_lists_subjects_of_files_and_folders(command):
    told = command("src", "a.py", "--quick", "--jobs", "1", "--kind", "regression")
    assert told.exit_code == 1
    assert told.output == (
        "b_loss  src/b.py:1       ok\n"
        "c_loss  src/deep/c.py:1  ok\n"
        "a_loss  a.py:1           1 error: saturation\n"
        "3 subjects: 2 ok, 1 faulty, 0 skipped; 1 error\n"
    )
    subjects, options = zip(*command.asked, strict=True)
    assert subjects == ("src/b.py:b_loss", "src/deep/c.py:c_loss", "a.py:a_loss")
    assert options[0]["quick"] is True
    assert options[0]["kind"] == "regression"
    assert command("src").exit_code == 0
    assert command("src", "a.py", "--details").output.count("error: saturation: no slope\n") == 1
    assert command("a.py").output.count("error: saturation: no slope\n") == 1
    assert command("src", "--pattern", "c_*").output.startswith("c_loss  src/deep/c.py:1  ok\n1 subject: 1 ok, ")
    assert command("src", "--pattern", "nothing").output == "nothing to audit: no loss or activation found\n"


def test_allowed_checks_are_notes_and_the_least_severity_is_chosen(command):
    told = command("src", "a.py", "--allow", "saturation")
    assert (told.exit_code, "a_loss  a.py:1           ok, 1 note\n" in told.output) == (0, True)
    told = command("src", "a.py", "--allow", "saturation", "--fail-on", "note")
    assert (told.exit_code, "a_loss  a.py:1           1 note: saturation\n" in told.output) == (1, True)
    assert command("a.py", "--fail-on", "error").exit_code == 1
    assert command("a.py", "--allow", "direction", "--format", "junit").output.count("<failure") == 1
    assert command("a.py", "--allow", "saturation", "--format", "junit").output.count("<failure") == 0
    told = command("a.py", "--allow", "saturaton")
    assert (told.exit_code, "did you mean 'saturation'?" in told.output) == (2, True)


def test_a_warning_counts_unless_errors_alone_are_asked_for():
    report = Report("f", [Finding("saturation", "no slope", "f(x)", "less", "warning")])
    for least, ok in (("error", True), ("warning", False), ("note", False)):
        assert CaseResult(case("f"), report, fail_on=least).ok is ok


@pytest.mark.parametrize("style", ["json", "sarif", "junit"])
def test_documents_are_all_that_is_printed(command, style):
    read = ElementTree.fromstring if style == "junit" else json.loads
    for names in (["."], ["a.py:a_loss"], ["relu"]):
        told = command(*names, "--format", style)
        assert told.exit_code == ("relu" not in names)
        read(told.output)


def test_a_named_subject_is_annotated_too(command):
    ((level, properties, _),) = read_commands(command("a.py:a_loss", "--format", "github").output)
    assert (level, properties["file"], properties["line"]) == ("error", "a.py", "1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.py"], "no file 'missing.py'"),
        (["src/notes.txt"], "'src/notes.txt' is no Python file"),
        (["src/missing"], "'src/missing' names no object; write file.py:object"),
        (["a.py", "--format", "xml"], "Invalid value for '--format': 'xml' is not one of"),
        (["a.py", "--jobs", "0"], "Invalid value for '--jobs': 0 is not in the range x>=1."),
    ],
)
def test_wrong_use_is_one_line(command, arguments, message):
    told = command(*arguments)
    assert told.exit_code == 2
    assert told.stderr.startswith(f"slopes: {message}")
    assert told.stderr.count("\n") == 1


# ---------------------------------------------------------------------------------- GitHub's action, and the hook


def load_yaml(text):
    return pytest.importorskip("yaml").safe_load(text)


def documented(start):
    """Return the example of the documentation that starts so."""
    page = (ROOT / "docs/audit/README.md").read_text()
    (text,) = re.findall(rf"```yaml\n({start}.*?)```", page, flags=re.S)
    return load_yaml(text)


ACTION = (ROOT / "action.yml").read_text()


def test_the_action_and_the_workflow_are_as_their_schemas_say():
    jsonschema = pytest.importorskip("jsonschema")
    workflow = documented("name: audit")
    workflow["on"] = workflow.pop(True)  # which YAML 1.1 makes of `on`
    jsonschema.Draft7Validator(schema("github-action")).validate(load_yaml(ACTION))
    jsonschema.Draft7Validator(schema("github-workflow")).validate(workflow)


def test_the_workflow_calls_the_action_as_it_is():
    home = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Homepage"]
    *_, step = documented("name: audit")["jobs"]["audit"]["steps"]
    assert step["uses"] == f"{home.removeprefix('https://github.com/')}@main"
    assert set(step["with"]) <= set(load_yaml(ACTION)["inputs"])


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, ["--format", "github", "--quick", "--", "."]),
        (
            {"paths": "src\nmore/*.py", "options": "", "changed-since": "origin/main...", "format": "sarif"},
            ["--format", "sarif", "--changed-since", "origin/main...", "--", "src", "more/*.py"],
        ),
        ({"paths": "$(touch written) ; touch written"}, ["--format", "github", "--quick", "--", "$(touch", "written)", ";", "touch", "written"]),
        ({"output": "audit.sarif"}, ["--format", "github", "--quick", "--", "."]),
    ],
)  # fmt: skip
def test_the_action_runs_the_audit(given, asked, tmp_path):
    action = load_yaml(ACTION)
    step = action["runs"]["steps"][-1]
    inputs = {name: given.get(name, entry["default"]) for name, entry in action["inputs"].items()}
    values = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda x: inputs[x[1]], text)
        for name, text in step["env"].items()
    }
    (tmp_path / "slopes").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 1\n')
    (tmp_path / "slopes").chmod(0o755)
    environment = {**os.environ, **values, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]  # as GitHub calls it
    ended = subprocess.run(script, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert ended.returncode == 1, ended.stderr
    output = (tmp_path / "audit.sarif").read_text() if "output" in given else ended.stdout
    assert output.splitlines() == ["audit", *asked]
    assert not (tmp_path / "written").exists()


def test_the_hook_is_one_that_pre_commit_reads():
    client = pytest.importorskip("pre_commit.clientlib")
    (hook,) = client.load_manifest(ROOT / ".pre-commit-hooks.yaml")
    (repository,) = documented("repos:")["repos"]
    assert [hook["id"]] == [entry["id"] for entry in repository["hooks"]]
    assert "runs the code" in hook["name"]
    assert hook["entry"] == "slopes audit"

"""The command line: what it prints, its exit statuses, and one clear line for every mistake."""

import json
import os
import pickle
import subprocess
import sys
import warnings

import pytest

import slopes
from slopes import catalogue, loading

CliRunner = pytest.importorskip("click.testing").CliRunner
from slopes import cli  # noqa: E402
from slopes.auditing.report import Report  # noqa: E402

MINE = '''
import helper
import slopes
from slopes.ops import where

@slopes.loss("regression")
def my_mse(prediction, target):
    """My loss: the squared residual."""
    return helper.FACTOR * (prediction - target) ** 2

@slopes.activation(kinks=(1.0,))
def bent(x, *, alpha: slopes.domains.Positive = 1.0):
    """Bent: rises otherwise beyond 1."""
    return where(x > 1, alpha * x + 1 - alpha, x)

@bent.derivative
def _(x, *, alpha):
    return where(x > 1, alpha, where(x <= 1, 1.0, x))

@slopes.activation()
def broken(x):
    """Broken: names what is not there."""
    return x + undefined

@slopes.activation(range=(-1, 1), zero=0.5)
def boastful(x):
    """Boastful: claims what is not so."""
    return x * 2

def plain(x):
    return x

number = 3
'''


@pytest.fixture
def here(monkeypatch):
    """A file is audited in this process, since another one takes seconds to load torch; test_audit_calls.py has those."""
    from slopes.auditing import child, examination

    def audited(spec, job, folder, time_limit):
        options = pickle.loads(job)
        del options["time_limit"]
        return examination.examine(loading.find(options.pop("spec")), options.pop("declared"), spec=spec, **options)

    monkeypatch.setattr(child, "_supervised", audited)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a user's files."""
    for name, text in {
        "mine.py": MINE,
        "helper.py": "FACTOR = 1",
        "syntax.py": "x = 1\ndef f(:\n",
        "lacks.py": "\n\nimport not_there_at_all\n",
        "raises.py": "raise ValueError('two\\nlines')",
        "leaves.py": "import sys\nsys.exit(3)\n",
        "bare.py": "x = 1",
        "notes.txt": "hello",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "a_folder").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def shell(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "slopes", *arguments],
        capture_output=True,
        env=os.environ | environment,
        check=False,
    )


# ---------------------------------------------------------------------------------------------- help


def test_help_loads_nothing_heavy():
    heavy = ("torch", "scipy", "numpy", "matplotlib", "sympy", "rich", "jinja2")
    code = (
        "import sys; from slopes.cli import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit as end: print(end.code, [name for name in {heavy} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "0 []"


def test_list_does_not_load_torch():
    code = (
        "import sys; from slopes.cli import main\n"
        "try: main(['list'])\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules, 'matplotlib' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "0 False False"


@pytest.mark.parametrize("command", ["list", "show", "audit", "explain", "prove", "compare"])
def test_every_command_has_help_with_examples(command):
    told = run(command, "--help")
    assert told.exit_code == 0
    assert f"Examples:\n    slopes {command}" in told.output


def test_no_command_shows_help():
    assert run().exit_code == 0
    assert "Examples:" in run().output


def test_version():
    assert run("--version").output == f"slopes {slopes.__version__}\n"


# ------------------------------------------------------------------------------------------- users' files


def test_a_file_of_a_package_imports_as_in_its_package(folder):
    inner = folder / "src" / "a_package" / "inner"
    inner.mkdir(parents=True)
    for place in (inner, inner.parent):
        (place / "__init__.py").touch()
    (inner.parent / "numbers.py").write_text("FACTOR = 3")
    (inner / "shapes.py").write_text("def same(x): return x")
    (inner / "losses.py").write_text(
        "import a_package.numbers\nfrom . import shapes\nfrom ..numbers import FACTOR\n"
        "def my_loss(p, t): return shapes.same(FACTOR * (p - t))\n"
    )
    before = list(sys.path)
    my_loss = loading.find("src/a_package/inner/losses.py:my_loss")
    assert my_loss(3, 1) == 6
    assert pickle.loads(pickle.dumps(my_loss)) is my_loss
    assert sys.path == before


# ---------------------------------------------------------------------------------------------- list


def test_list_gives_a_pipe_one_line_for_each_card(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = run("list").output.splitlines()
    assert len(lines) == len(set(catalogue.CARDS.values()))
    (elu,) = (line for line in lines if line.startswith("elu "))
    assert "alpha=1.0 (> 0)" in elu
    assert catalogue.CARDS["elu"].summary in elu
    assert any(line.startswith("silu, swish ") for line in lines)


def test_list_fits_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    assert max(map(len, run("list").output.splitlines())) <= 50


def test_list_as_json():
    entries = {entry["name"]: entry for entry in json.loads(run("list", "--json").output)}
    assert entries["silu"]["aliases"] == ["swish"]
    assert entries["huber"]["parameters"] == [{"name": "delta", "domain": "> 0", "default": "1.0"}]
    assert entries["cross_entropy"]["kind"] == "classification loss, on logits"


# ---------------------------------------------------------------------------------------------- show


def test_show_prints_a_picture_and_facts(monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    told = run("show", "relu", "elu(alpha=0.5)")
    assert told.exit_code == 0
    assert "elu(x, *, alpha=0.5)" in told.output
    assert "●" in told.output
    assert "\x1b" not in told.output


def test_a_curve_has_as_many_predictions_as_a_parameter_has_levels():
    (told,) = json.loads(run("show", "multi_quantile(quantiles=(0.1, 0.5, 0.9))", "--json").output)
    (line,) = told["curve"]["lines"]
    assert line["value"][0] == pytest.approx(4 * (0.1 + 0.5 + 0.9) / 3 - 0.8 / 3)  # residuals of 5, 4 and 3
    assert line["slope"][-1] == pytest.approx((0.9 + 0.5 + 0.1) / 3)


@pytest.mark.parametrize("suffix", ["png", "svg", "html"])
def test_show_writes_a_file(suffix, folder):
    told = run("show", "mine.py:bent(alpha=3)", "--out", f"bent.{suffix}")
    assert told.output == f"wrote bent.{suffix}\n"
    assert (folder / f"bent.{suffix}").stat().st_size > 1000


def test_show_as_json():
    (told,) = json.loads(run("show", "softplus", "--json").output)
    assert told["claims"]["range"] == [0, "Infinity"]
    (line,) = told["curve"]["lines"]
    assert len(line["x"]) == len(line["value"]) == len(line["slope"])


def test_an_ascii_pipe_gets_ascii():
    ended = shell("show", "softmax", "huber", PYTHONIOENCODING="ascii", COLUMNS="80")
    assert ended.returncode == 0
    assert b"sum_j exp(x_j)" in ended.stdout
    assert ended.stdout.isascii()


# --------------------------------------------------------------------------------------------- audit


def test_audit_of_a_clean_card(folder, here):
    told = run("audit", "relu", "mine.py:my_mse")
    assert told.exit_code == 0
    assert "relu: clean" in told.output
    assert "my_mse'): clean" in told.output


def test_explain_lists_the_checks_and_prints_the_page_of_one():
    from slopes.auditing import behaviour, cards

    listed = [line.split()[0] for line in run("explain").output.splitlines()]
    assert {check.__name__ for check in behaviour.CHECKS} <= set(listed)
    for check in [*listed, *(check.__name__ for check in cards.CHECKS)]:
        told = run("explain", check)
        assert told.exit_code == 0
        assert told.output.startswith(
            "# The checks of a card" if check not in listed or check == "cards" else f"# {check}: "
        )
        assert "repair" in told.output.lower()


def test_explain_guesses_at_a_mistyped_check():
    told = run("explain", "extreme_input")
    assert told.exit_code == 2
    assert "no check 'extreme_input'; did you mean 'extreme_inputs'?" in told.output
    assert "`slopes explain` lists them" in run("explain", "zzz").output


def test_findings_name_a_command_that_explains_them(folder, here):
    told = run("audit", "mine.py:boastful", "--quick").output
    (command, *_) = [line.split(":", 1)[1].split() for line in told.splitlines() if line.strip().startswith("more:")]
    assert command[:2] == ["slopes", "explain"]
    assert run(*command[1:]).exit_code == 0


def test_audit_with_findings(folder, here):
    told = run("audit", "relu", "mine.py:boastful", "--json", "--seed", 3)
    assert told.exit_code == 1
    assert [report["ok"] for report in json.loads(told.output)] == [True, False]


def test_audit_all(monkeypatch):
    seen = []
    monkeypatch.setattr("slopes.auditing.audit", lambda card, **options: seen.append(card) or Report(card.name))
    assert run("audit", "--all").exit_code == 0
    assert len(seen) == len(set(catalogue.CARDS.values()))


@pytest.mark.parametrize("arguments", [[], ["--all", "relu"]])
def test_audit_wants_names_or_all(arguments):
    complains(
        "audit: name the objects to audit, as in slopes audit my_losses.py:my_loss, or else --all",
        "audit",
        *arguments,
    )


# --------------------------------------------------------------------------------------------- prove


def test_prove_prints_verdicts():
    pytest.importorskip("flint")
    told = run("prove", "relu", "elu(alpha=0.5)", "--claim", "monotone=true", "--claim", "range=-1,inf")
    assert told.exit_code == 0
    assert "relu: 2 proved for all float64 numbers" in told.output
    assert "range     (-1.0, inf)  proved  tightest: (-0.5, inf)" in told.output


def test_prove_fails_for_a_false_claim(folder):
    pytest.importorskip("flint")
    told = run("prove", "relu", "mine.py:boastful", "--json")
    assert told.exit_code == 1
    first, second = json.loads(told.output)
    assert (first["ok"], second["ok"]) == (True, False)
    assert [verdict["status"] for verdict in second["verdicts"]] == ["refuted", "refuted"]
    assert run("prove", "relu", "--claim", "kinks=").exit_code == 1
    assert run("prove", "silu", "--claim", "lipschitz=1.09985", "--claim", "symmetry=odd", "--effort", 9).exit_code == 1


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("rnge=0,1", "prove: no claim 'rnge'; did you mean 'range'?"),
        ("range=zero", "prove: cannot read --claim 'range=zero'; write it as in range=-1,inf"),
        ("range", "prove: cannot read --claim 'range'"),
        ("monotone=yes", "prove: cannot read --claim 'monotone=yes'"),
        ("range=1", "slopes.prove: range must be a pair (low, high), got (1.0,)"),
        ("symmetry=strange", "slopes.prove: symmetry must be 'odd' or 'even', got 'strange'"),
    ],
)
def test_a_mistaken_claim_says_what_is_wrong(claim, message):
    pytest.importorskip("flint")
    complains(message, "prove", "relu", "--claim", claim)


def test_prove_refuses_claims_that_no_rules_prove_and_bodies_that_fail(folder):
    pytest.importorskip("flint")
    complains("slopes.prove: no claim 'lipschitz' of nll", "prove", "nll", "--claim", "lipschitz=1")
    complains("broken: nothing can be proved of its body: NameError: name 'undefined'", "prove", "mine.py:broken")


# ------------------------------------------------------------------------------------------- compare


class Study:
    def __init__(self, folder):
        self.folder, self.runs = folder, ["a run"]

    def listing(self, metric):
        return f"the table of {metric or 'the first metric'}"

    def table(self, metric):
        return [{"activation": "relu", "accuracy": float("nan")}]

    def verdicts(self, metric):
        return [{"verdict": "tie", "metric": metric}]

    def metric(self, name):
        if name != "recall":
            raise LookupError(f"no metric {name!r}; the study has recall.")

    def export(self, path):
        self.folder.joinpath(path).touch()


@pytest.fixture
def study(monkeypatch, tmp_path):
    """Stands for `slopes.comparing.compare`: remembers what it was asked."""
    asked = {}

    def compare(**options):
        asked.update(options)
        return Study(tmp_path)

    monkeypatch.setattr("slopes.comparing.compare", compare)
    return asked


def test_compare_hands_on_only_what_was_given(study, tmp_path):
    told = run("compare")
    assert told.exit_code == 0
    assert study == {}
    assert told.output.splitlines() == ["the table of the first metric", f"report: {tmp_path / 'report.html'}"]


def test_compare_takes_cards_rates_and_numbers(study, folder):
    told = run(
        *("compare", "--activations", "relu, elu(alpha=0.5),mine.py:bent(alpha=2)"),
        *("--losses", "mse,mine.py:my_mse", "--seeds", 3, "--epochs", 4),
        *("--rates", "0.01,0.1", "--out", "results", "--workers", 2, "--json"),
    )
    assert study.pop("activations") == ("relu", "elu(alpha=0.5)", "mine.py:bent(alpha=2)")
    assert study.pop("losses") == ("mse", "mine.py:my_mse")
    assert study == {"seeds": 3, "epochs": 4, "rates": [0.01, 0.1], "out": "results", "workers": 2}
    told = json.loads(told.output)
    assert told["table"] == [{"activation": "relu", "accuracy": "NaN"}]
    assert told["verdicts"] == [{"verdict": "tie", "metric": None}]


def test_compare_takes_seeds_that_are_added(study):
    assert run("compare", "--seeds", "auto", "--minutes", 5).exit_code == 0
    assert study == {"seeds": "auto", "minutes": 5.0}


def test_compare_takes_a_model_and_data_of_ones_own(study, tmp_path):
    import torch

    told = run(
        *("compare", "models.py:Model", "houses.csv", "--target", "price", "--task", "regression"),
        *("--baseline", "silu,mse", "--replace", "torch.nn.ReLU", "--output", "0", "--resample", "--metric", "recall"),
        *("--optimizer", "sgd", "--batch-size", 32, "--clip", 1, "--engine", "loop", "--executor", "dask://host:8786"),
        *("--export", tmp_path / "runs.csv"),
    )
    assert told.exit_code == 0, told.output
    assert study == {
        **{"model": "models.py:Model", "data": "houses.csv", "target": ("price",), "task": "regression"},
        **{"baseline": ("silu", "mse"), "replace": torch.nn.ReLU, "output": 0, "resample": True},
        **{"optimizer": "sgd", "batch_size": 32, "clip": 1.0, "engine": "loop", "executor": "dask://host:8786"},
    }
    assert told.output.startswith("the table of recall")
    assert (tmp_path / "runs.csv").exists()


def test_a_study_in_which_nothing_was_trained_ends_with_1(study, monkeypatch, tmp_path):
    failed = Study(tmp_path)
    failed.runs = []
    monkeypatch.setattr("slopes.comparing.compare", lambda **options: failed)
    assert run("compare").exit_code == 1


def test_compare_complains_in_one_line(study, monkeypatch):
    complains("--rates takes numbers with commas, as in 0.001,0.01", "compare", "--rates", "0.1,fast")
    for count in ("0", "many"):
        complains(f"--seeds takes a whole number of at least 1, or auto, got {count!r}.", "compare", "--seeds", count)
    complains("no metric 'rmse'; the study has recall.", "compare", "--metric", "rmse")
    complains("torch has no 'torch.nn.ReLu'; did you mean 'torch.nn.ReLU'?", "compare", "--replace", "torch.nn.ReLu")

    def fail(**options):
        raise slopes.comparing.StudyError("the folder is full")

    monkeypatch.setattr("slopes.comparing.compare", fail)
    complains("the folder is full", "compare")
    complains("compare: no metric 'recal'; there are accuracy, log_loss, ", "compare", "--metric", "recal")
    complains("export: the path must end in .csv, .json or .parquet, got 'x.xls'", "compare", "--export", "x.xls")


def test_compare_hands_on_nothings_to_be_refused(study):
    run("compare", "--clip", "0")
    assert study == {"clip": 0.0}


@pytest.mark.filterwarnings("default")
def test_compare_tells_warnings_in_a_line(study, monkeypatch, tmp_path):
    def warn(**options):
        warnings.warn("compare: two\n  lines", stacklevel=1)
        return Study(tmp_path)

    monkeypatch.setattr("slopes.comparing.compare", warn)
    told = run("compare")
    assert told.exit_code == 0
    assert told.stderr == "slopes: compare: two lines\n"


# ------------------------------------------------------------------------------------------ mistakes

WRONG = {
    "rellu": "no function 'rellu'; did you mean 'relu'",
    "zzzz": "no function 'zzzz'; `slopes list` shows all there are\n",
    "a_folder:f": "'a_folder' is a folder; write file.py:object",
    "elu(alpha=-1)": "elu: alpha must be > 0, got -1",
    "elu(alpha=nan)": "elu: alpha must be > 0, got nan",
    "elu(beta=1)": "elu: no parameter 'beta'; it takes alpha",
    "elu(0.5)": "cannot read the parameters of 'elu(0.5)'; write them by name, as in 'elu(alpha=0.5)'",
    "elu(alpha=)": "cannot read the parameters of 'elu(alpha=)'",
    "elu(alpha=1)(": "cannot read 'elu(alpha=1)('; write a name, as in relu",
    "gelu(approximate=sigmoid)": "gelu: approximate must be one of 'none', 'tanh', got 'sigmoid'",
    "": "cannot read ''; write a name",
    "mine.py": "'mine.py' names no object; write file.py:object, as in mine.py:my_loss",
    "C:\\mine.py": "'C:\\\\mine.py' names no object",
    "C:\\mine.py:my_mse": "no file 'C:\\\\mine.py'",
    "gone.py:x": "no file 'gone.py'",
    "notes.txt:x": "'notes.txt' is no Python file; write file.py:object",
    "mine.py:my_mes": "mine.py has no 'my_mes'; did you mean 'my_mse'?",
    "mine.py:zzz": "mine.py has no 'zzz'; its cards are my_mse, bent, broken, boastful",
    "bare.py:y": "bare.py has no 'y'; it has no cards; decorate the function with @slopes.activation()",
    "mine.py:plain": "mine.py:plain is a plain function, not a card; decorate the function with @slopes.",
    "mine.py:number": "mine.py:number is a value of type int, not a card; decorate",
    "mine.py:bent(alpha=0)": "bent: alpha must be > 0, got 0",
    "syntax.py:f": "syntax.py, line 2: SyntaxError: invalid syntax",
    "lacks.py:f": "lacks.py, line 3: ModuleNotFoundError: No module named 'not_there_at_all'",
    "raises.py:f": "raises.py, line 1: ValueError: two lines",
    "leaves.py:f": "leaves.py, line 2: SystemExit: 3",
}


def complains(message, *arguments):
    """The command says one line, on stderr, that begins so, and ends with 2."""
    told = run(*arguments)
    assert told.exit_code == 2, told.output
    assert told.stdout == ""
    assert told.stderr.count("\n") == 1
    assert message in told.stderr
    assert told.stderr.startswith("slopes: ")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("spec", WRONG)
def test_a_mistaken_name_says_what_is_wrong(spec):
    complains(WRONG[spec], "show", "--", spec)
    with pytest.raises(cli.WRONG_SPEC) as raised:
        loading.load(spec)
    assert WRONG[spec].rstrip() in str(raised.value)


def test_a_card_that_fails_is_named_with_its_line(folder):
    complains("mine.py:broken, line 23: NameError: name 'undefined' is not defined", "show", "mine.py:broken")


def test_other_mistakes(folder):
    complains("no command 'lst'; did you mean 'list'?", "lst")
    complains("no command 'zzz'; there are accuracy, audit, compare, compile, explain, list, prove, show.", "zzz")
    complains("Missing argument 'NAME...'", "show")
    complains("No such option", "show", "relu", "--colour")
    complains("unexpected extra argument", "list", "relu")
    complains("show: out must end in .png, .svg or .html, got 'x.pdf'", "show", "relu", "--out", "x.pdf")
    complains("show: cannot write 'gone/x.svg': No such file", "show", "relu", "--out", "gone/x.svg")
    (folder / "taken.svg").mkdir()
    complains("show: cannot write 'taken.svg': Is a directory", "show", "relu", "--out", "taken.svg")


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    for module in [name for name in sys.modules if name.startswith(("slopes.plotting.", "matplotlib", "rich"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delattr(slopes.plotting, "picture", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    complains("slopes.show needs matplotlib: pip install 'slopes[lab]'", "show", "relu", "--out", "x.svg")
    monkeypatch.setitem(sys.modules, "rich", None)
    complains("needs rich: pip install 'slopes[lab]'", "show", "relu")


@pytest.mark.parametrize("listed", ["relu,,gelu", ",relu", "relu,", "", " , "])
@pytest.mark.parametrize("option", ["activations", "losses", "baseline"])
def test_names_between_commas_are_not_empty(option, listed):
    message = f"--{option} takes names with commas between them, as in relu,gelu; got {listed!r}\n"
    complains(message, "compare", f"--{option}", listed)


def test_libraries_between_commas_are_not_empty():
    complains("--against takes names with commas between them", "accuracy", "--against", "")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--seeds", "9" * 20, f"compare: seeds must be a whole number of at most 10000, got {'9' * 20}.\n"),
        ("--epochs", "9" * 20, f"compare: epochs must be a whole number of at most 1000000, got {'9' * 20}.\n"),
        ("--batch-size", "9" * 20, "compare: batch_size must be a whole number of at most 2147483648, got"),
        ("--workers", "9" * 12, "compare: workers must be a whole number of at most 4096, got"),
    ],
)
def test_numbers_beyond_all_reason(folder, option, value, message):
    pytest.importorskip("sklearn")
    complains(message, "compare", option, value, "--out", folder / "out")


def test_what_has_no_curve_is_one_line():
    complains("show: supcon takes the vectors of a batch, and has no axis to be drawn along\n", "show", "supcon")


@pytest.mark.parametrize("arguments", ["list", "list --json", "show relu", "show relu --out x.svg", "audit relu", "-h"])
def test_a_closed_output_is_one_line(folder, arguments):
    command = f"exec {sys.executable} -m slopes {arguments} >&-"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert ended.stderr == "slopes: standard output is closed; to see nothing, send it to /dev/null\n"
    silent = subprocess.run(["bash", "-c", f"{command} 2>&-"], capture_output=True, timeout=60, check=False)
    assert silent.returncode == 2
    assert not (folder / "x.svg").exists()


@pytest.mark.parametrize("arguments", [["compare"], ["compare", "--losses", "zzz", "--seeds", "1"]])
def test_without_torch_a_comparison_says_what_brings_it(arguments):
    absent = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'torch': raise ModuleNotFoundError('No module named torch', name=name)\n"
        "sys.meta_path.insert(0, Absent)\n"
    )
    code = f"{absent}from slopes.cli import main; main({arguments})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert ended.stderr == "slopes: slopes compare needs torch: pip install 'slopes[torch]'\n"


def test_without_sympy_the_facts_name_its_extra():
    code = "import sys; sys.modules['sympy'] = None; from slopes.cli import main; main(['show', 'relu'])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "(needs sympy: pip install 'slopes[audit]')" in ended.stdout


def test_without_click_one_line_says_so():
    code = "import sys; sys.modules['click'] = None; import slopes.cli"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == "slopes: the command line needs click: pip install 'slopes[lab]'\n"


def test_an_interrupt_ends_with_130(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(loading, "load", interrupted)
    told = run("show", "relu")
    assert told.exit_code == 130
    assert told.stderr.strip() == "slopes: interrupted"


def test_an_error_of_ours_keeps_its_traceback(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("ours")

    monkeypatch.setattr("slopes.plotting.show", fail)
    assert isinstance(run("show", "relu").exception, RuntimeError)


def test_a_reader_that_leaves_is_no_error():
    for arguments in ("list", "audit --quick relu"):
        command = f"{sys.executable} -m slopes {arguments} | true"
        ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
        assert ended.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["show", "relu"]])
def test_a_full_disk_is_one_line(arguments):
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "slopes", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "No space left" in ended.stderr


# ------------------------------------------------------------------------------------------- loading


def test_load_gives_the_card_itself():
    assert loading.load("relu") is slopes.relu
    assert loading.load(" elu ( alpha = 0.5 ) ").bound == {"alpha": 0.5}
    assert loading.load("gelu(approximate=tanh)").bound == {"approximate": "tanh"}
    assert loading.load("elu()").bound == {}


def test_a_file_is_run_once_and_leaves_the_import_path_alone(folder):
    path = list(sys.path)
    card = loading.load("mine.py:my_mse")
    assert loading.load(f"{folder}/mine.py:my_mse") is card
    assert sys.path == path
    assert not (folder / "__pycache__" / "mine.pyc").exists()
    assert card([3.0], [1.0]) == 4.0


def test_a_users_card_reaches_a_fresh_process(folder):
    card = loading.load("mine.py:bent").with_(alpha=3.0)
    (folder / "card.pickle").write_bytes(pickle.dumps(card))
    code = "import pickle; print(pickle.load(open('card.pickle', 'rb'))(2.0))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(ended.stdout) == 4.0


def test_paths_with_odd_characters(folder):
    odd = folder / "a (b): c"
    odd.mkdir()
    for name in ("mine.py", "helper.py"):
        (odd / name).write_text((folder / name).read_text())
    assert loading.load(f"{odd}/mine.py:bent(alpha=2)").bound == {"alpha": 2}


def test_nothing_is_imported_from_the_working_directory(folder):
    for name in ("torch", "click", "json", "numpy"):
        (folder / f"{name}.py").write_text("print('ambush')\nraise SystemExit(9)")
    ended = shell("list")
    assert ended.returncode == 0
    assert b"ambush" not in ended.stdout + ended.stderr
    (folder / "mine.py").write_text(MINE + "import json\nimport numpy\n")
    assert b"ambush" not in shell("show", "mine.py:bent", COLUMNS="80").stdout

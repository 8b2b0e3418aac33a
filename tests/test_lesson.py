"""The lesson: its claims hold, and its two pages quote what the script prints.

``python tests/test_lesson.py`` redraws the pictures, and refreshes the output blocks of the pages.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
pytest.importorskip("mpmath")

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "examples" / "lesson.py"
sys.path.insert(0, str(SCRIPT.parent))
import lesson_words  # noqa: E402

PAGES = {"en": ROOT / "docs" / "lesson.md", "zh": ROOT / "docs" / "lesson.zh.md"}
PICTURES = ROOT / "docs" / "images" / "lesson"
UNTESTED = {"4.8"}  # times are those of one machine

NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")
BLOCK = re.compile(r"```(\w+)\n(.*?)\n```", re.DOTALL)


def run_script(out: Path) -> str:
    """Run the lesson on the CPU with warnings as errors, and return what it prints."""
    command = [sys.executable, "-W", "error", str(SCRIPT), "--out", str(out), "--language", *PAGES]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=out.parent)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def tables(printed: str, language: str) -> dict[str, str]:
    """Return the tables of the script's output in the language, by their number."""
    paragraphs = [part.strip("\n") for part in re.split(r"\n\n+", printed)]
    found = [part for part in paragraphs if re.match(r"\d\.\d ", part)]
    return {part.split()[0]: part for part in found[list(PAGES).index(language) :: len(PAGES)]}


def blocks(page: Path, language: str) -> list[str]:
    return [body for found, body in BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def prose(page: Path) -> str:
    """What a page says outside code blocks and formulae."""
    return re.sub(r"\$[^$\n]+\$", "", BLOCK.sub("", page.read_text(encoding="utf-8")))


def alike(quoted: str, printed: str) -> bool:
    """Whether two texts have the same words, and numbers as near as on another processor."""
    if NUMBER.sub("#", " ".join(quoted.split())) != NUMBER.sub("#", " ".join(printed.split())):
        return False
    return all(near(a, b) for a, b in zip(NUMBER.findall(quoted), NUMBER.findall(printed), strict=True))


def near(a: str, b: str) -> bool:
    """Whether two printed numbers differ by at most 5 % or two units of the last digit printed."""
    digits = len(re.sub(r"e.*", "", a).partition(".")[2])
    exponent = float("1e" + a.partition("e")[2]) if "e" in a else 1.0
    first, second = (float(text.replace(",", "")) for text in (a, b))
    return abs(first - second) <= max(0.05 * abs(first), 2.01 * 10.0**-digits * exponent)


@pytest.fixture(scope="module", params=[pytest.param("run anew", marks=pytest.mark.exhaustive)])
def lesson(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("lesson") / "pictures"
    printed = run_script(out)
    figures = json.loads((out / "figures.json").read_text())
    return {"printed": printed, "out": out, **figures}


# ------------------------------------------------------------------------------------------ the claims


def test_it_draws_its_pictures(lesson):
    for folder in ("", "zh"):
        drawn = {path.name for path in (lesson["out"] / folder).glob("*.png")}
        kept = {path.name for path in (PICTURES / folder).glob("*.png")}
        assert drawn == (kept if folder == "" or lesson_words.fonts("zh") else set())
    assert all(path.stat().st_size < 150_000 for path in lesson["out"].rglob("*.png"))


def test_ours_is_right_wherever_the_textbook_fails(lesson):
    assert lesson["textbook"]["cases"] >= 16
    assert lesson["textbook"]["ours_off"] == 0
    rows = [line.split() for line in tables(lesson["printed"], "en")["2.1"].splitlines()[2:]]
    assert {"sigmoid", "tanh", "relu", "softmax", "cross-entropy"} <= {row[0] for row in rows}
    assert sum("NaN" in " ".join(row) for row in rows) >= 6


def test_the_lessons_slips(lesson):
    slips = lesson["slips"]
    assert not slips["tanh_parses"]
    assert slips["lesson_formula_agreement"] < 1e-12
    assert slips["lesson_formula_bits"] > 1.5 * slips["categorical_bits"]
    theirs, true = slips["row_costs"].values()
    assert theirs[0] < theirs[1]
    assert true[0] > true[1]


def test_gradients_vanish_under_the_sigmoid_and_under_relu_from_a_poor_start(lesson):
    norms = lesson["depth"]["norms"]
    assert norms["sigmoid, Xavier start"][-1] < 1e-15 * norms["relu, He start"][-1]
    assert norms["relu, PyTorch's start"][-1] < 1e-9 * norms["relu, He start"][-1]
    assert norms["tanh, Xavier start"][-1] > 0.05 * norms["tanh, Xavier start"][0]
    accuracy = {name: deep for name, (_, deep) in lesson["depth"]["accuracy"].items()}
    assert accuracy["sigmoid, Xavier start"] < 0.65 < 0.95 < accuracy["relu, He start"]


def test_relu_units_die_and_leaky_ones_keep_a_gradient(lesson):
    dying = lesson["dying"]
    assert dying["relu, good rate throughout"]["frozen"] == 0
    assert dying["relu"]["frozen"] > 0.9 * dying["units"]
    for leaky in ("leaky_relu, slope 0.01", "leaky_relu, slope 0.1"):
        assert dying[leaky]["frozen"] == 0
        assert dying[leaky]["off_after_shock"] < dying["relu"]["off_after_shock"]
        assert dying[leaky]["loss"] < dying["relu"]["loss"]


def test_centring_matters_in_deep_networks_and_not_in_shallow_ones(lesson):
    steps = {name: (found["1"]["steps"], found["3"]["steps"]) for name, found in lesson["centred"].items()}
    assert steps["tanh"][1] < 0.5 * steps["tanh + 1"][1]
    assert steps["tanh"][0] > 0.9 * steps["tanh + 1"][0]
    assert steps["tanh"][0] < 0.8 * steps["sigmoid"][0]


def test_linear_layers_are_one_layer_and_a_bottleneck(lesson):
    linear = lesson["linear"]
    assert linear["collapse"] < 1e-14
    assert linear["trained"]["linear xor"]["loss"] == pytest.approx(np.log(2), abs=1e-3)
    assert linear["trained"]["linear rings"]["accuracy"] < 0.7
    assert linear["trained"]["relu xor"]["accuracy"] == linear["trained"]["relu rings"]["accuracy"] == 1
    assert linear["rebuilt"] < 1e-13
    assert 0 <= linear["excess"] < 0.01


def test_mse_finds_the_mean_and_mae_the_median(lesson):
    assert lesson["outlier"]["constant"]["mse"] == pytest.approx(22, abs=0.01)
    assert lesson["outlier"]["constant"]["mae"] == pytest.approx(3, abs=0.01)
    assert abs(lesson["outlier"]["line"]["mae"][0] - 2) < 0.15 < abs(lesson["outlier"]["line"]["mse"][0] - 2)


def test_the_custom_loss_is_pytorchs(lesson):
    custom = lesson["custom"]
    assert custom["value_gap"] < 1e-6
    assert custom["gradient_gap"] < 1e-6
    assert custom["audit_ok"]
    assert "(4, 4)" in custom["refusal"]


def test_training_learns_the_line_and_nothing_beyond_it(lesson):
    training = lesson["training"]
    assert training["history"][-1] < 1e-4
    assert training["dead_units"] == "8 of 8"
    assert training["dead_history"][-1] == pytest.approx(training["variance"], rel=0.01)
    trained, _, taught = zip(*(training["answers"][question] for question in ("9+10", "10+1")), strict=True)
    assert trained[0] == pytest.approx(19, abs=0.1)
    assert abs(trained[1] - 11) > 1
    assert taught == pytest.approx((19, 11), abs=0.2)


# ------------------------------------------------------------------------------------------- the pages


@pytest.mark.parametrize("language", PAGES)
def test_output_blocks_are_what_the_script_prints(language, lesson):
    printed = tables(lesson["printed"], language)
    quoted = blocks(PAGES[language], "text")
    assert [block.split()[0] for block in quoted] == sorted(printed)
    for block in quoted:
        number = block.split()[0]
        if number in UNTESTED:
            assert NUMBER.sub("#", block).split() == NUMBER.sub("#", printed[number]).split()
        else:
            assert alike(block, printed[number]), f"{block}\n\nis not what the script prints:\n\n{printed[number]}"


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.name)
def test_decimals_in_prose_stand_in_an_output_block(page):
    """The blocks are checked against the script, so a number quoted from them is, too."""
    shown = set(NUMBER.findall(" ".join(blocks(page, "text"))))
    quoted = {text for text in NUMBER.findall(prose(page)) if "." in text or "e" in text}
    assert quoted
    assert quoted - shown == set()


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)\)", prose(page)):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.name)
def test_code_in_the_page_runs(page, capsys):
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), namespace)
    assert "clean" in capsys.readouterr().out
    answer = namespace["mynet"](namespace["torch"].tensor([[9.0, 10.0]], device=namespace["device"]))
    assert answer.item() == pytest.approx(19, abs=0.5)


def bare_code(source: str) -> str:
    """Return Python code without comments, docstrings and annotations."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
        if isinstance(node, ast.ClassDef):
            node.bases = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
    return ast.unparse(tree)


def test_the_pages_define_the_classes_of_the_script():
    def classes(source: str) -> list[str]:
        return [ast.unparse(node) for node in ast.parse(bare_code(source)).body if isinstance(node, ast.ClassDef)]

    shown = classes("\n".join(blocks(PAGES["en"], "python")))
    assert len(shown) == 2
    assert shown == classes(SCRIPT.read_text(encoding="utf-8"))


def test_both_pages_have_the_same_code_and_pictures():
    english, chinese = (bare_code("\n".join(blocks(page, "python"))) for page in PAGES.values())
    assert english == chinese
    pictures = {name: re.findall(r"!\[.+\]\((.+)\)", prose(page)) for name, page in PAGES.items()}
    assert [path.replace("lesson/", "lesson/zh/") for path in pictures["en"]] == pictures["zh"]
    assert len(pictures["en"]) == 8


def test_the_pages_say_what_each_function_is_for():
    names = {"sigmoid", "tanh", "relu", "linear", "softmax", "mse", "mae"}
    for page, last, header in zip(
        PAGES.values(), ("categorical cross-entropy", "分类交叉熵"), ("merits | faults", "优点 | 缺点"), strict=True
    ):
        table = page.read_text(encoding="utf-8").partition(header)[2].partition("\n\n")[0]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
        assert {row[0] for row in rows} == names | {last}
        assert all(len(row) == 4 and all(row) for row in rows)


def test_the_chinese_page_is_chinese():
    """Outside code and formulae, Chinese text has the punctuation of Chinese, and no table is left in English."""
    page = PAGES["zh"]
    text = re.sub(r"`[^`\n]+`|\]\([^)\n]+\)|!\[|\(4,\)", " ", prose(page))
    assert re.findall(r".*[,:;()!?].*", text.partition("# ")[2]) == []
    for character in "\uff0c\uff1a\uff1b\uff08\uff09\uff1f":
        assert character in text
    comments = re.findall(r"#.*", "\n".join(blocks(page, "python")))
    assert all(re.search(r"[\u4e00-\u9fff]|^# [\d.\[\] a-z-]+$", comment) for comment in comments), comments
    for block in blocks(page, "text"):
        assert re.search(r"[\u4e00-\u9fff]", block), block


def test_words_without_a_translation_are_refused():
    assert lesson_words.translate("relu: 315 of 320 frozen", "zh") == "relu：315/320 冻结"
    assert lesson_words.translate("0.119 / 0.105", "zh") == "0.119 / 0.105"
    with pytest.raises(LookupError, match="no Chinese for 'a new word 3'"):
        lesson_words.translate("a new word 3", "zh")
    assert lesson_words.translate("a new word 3", "en") == "a new word 3"


def test_the_comparison_of_quotations_can_fail():
    assert alike("loss  0.223 of 320", "loss 0.221 of 315")
    assert not alike("loss 0.223", "loss 0.323")
    assert not alike("loss 1.8e-20", "loss 1.8e-19")
    assert not alike("loss 0.223", "cost 0.223")


def refresh() -> None:
    """Run the script into docs/images/lesson and put its tables into the pages."""
    printed = run_script(PICTURES)
    for language, page in PAGES.items():
        text = page.read_text(encoding="utf-8")
        for block in blocks(page, "text"):
            text = text.replace(block, tables(printed, language)[block.split()[0]])
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    refresh()

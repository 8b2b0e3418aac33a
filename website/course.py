"""The lesson as a course: its sections in chapters with live figures and exercises, in English and Chinese.

All text is that of docs/lesson.md and docs/lesson.zh.md, whose sections correspond one to one.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from website import drawing
from website.documents import LESSONS, ROOT, page_of, relink
from website.exercises import EXERCISES, solve
from website.functions import draw_together, environment


class Section(NamedTuple):
    """A heading and the text below it."""

    level: int
    title: str
    text: str

    @property
    def anchor(self) -> str:
        """Return the heading's anchor, as GitHub and MyST make it."""
        return re.sub(r"[^\w\- ]", "", self.title.lower()).replace(" ", "-")


class Chapter(NamedTuple):
    """A page: its file, titles in English and Chinese, the English headings of its sections, and its figures."""

    name: str
    titles: dict[str, str]
    sections: tuple[str, ...]
    figures: tuple[str, ...]  #: the functions of each figure, or "errors: " and functions, or "trainer"
    training: str = ""  #: the address of a network to train


CHAPTERS = (
    Chapter(
        "functions",
        {"en": "The functions", "zh": "函数"},
        ("1. The functions",),
        ("sigmoid tanh relu linear",),
    ),
    Chapter(
        "digits",
        {"en": "The textbook formula beside ours", "zh": "课本公式与我们的实现"},
        ("2. The textbook formula beside ours",),
        ("errors: sigmoid tanh",),
    ),
    Chapter(
        "sigmoid",
        {"en": "The sigmoid", "zh": "sigmoid"},
        ("Vanishing gradients", "What does a sigmoid cost?"),
        ("sigmoid",),
        "activation=sigmoid&depth=8&start=Xavier",
    ),
    Chapter(
        "tanh",
        {"en": "Tanh", "zh": "tanh"},
        ("Is it the centre or the slope?", "A bracket"),
        ("tanh sigmoid",),
        "activation=tanh&depth=8&start=Xavier",
    ),
    Chapter(
        "relu",
        {"en": "ReLU and its family", "zh": "ReLU 及其家族"},
        ("Dying ReLU",),
        ("relu leaky_relu elu gelu silu",),
        "activation=relu&optimizer=sgd&rate=1",
    ),
    Chapter(
        "linear",
        {"en": "Linear layers and softmax", "zh": "线性层与 softmax"},
        ("Linear layers", "An axis"),
        ("linear relu", "softmax"),
        "data=rings&activation=linear",
    ),
    Chapter(
        "losses",
        {"en": "Losses", "zh": "损失函数"},
        ("MSE, MAE and an outlier", "A name"),
        ("mse mae huber", "binary_cross_entropy"),
        "loss=mse",
    ),
    Chapter(
        "own_loss",
        {"en": "A loss of one's own", "zh": "自己写一个损失函数"},
        ("5. A loss of one's own", "The loss"),
        ("mse",),
    ),
    Chapter("training", {"en": "Training", "zh": "训练"}, ("The training",), ("trainer",)),
)

#: words that the lesson does not have
WORDS = {
    "en": {
        "chapters": "Chapters", "exercises": "Exercises", "solution": "Solution", "other": "中文",
        "curves": drawing.CAPTION, "show": "Values and slopes of ", "train": "Train such a network",
        "errors": "The textbook's formula in float32: its error in units in the last place, from 0.5 to 2²⁴",
        "scripts": "Exercises are checked, and networks train, by JavaScript, which is switched off.",
    },
    "zh": {
        "chapters": "各章", "exercises": "练习", "solution": "答案", "other": "English",
        "curves": "值（实线）与斜率（虚线）", "show": "值与斜率：", "train": "训练一个这样的网络",
        "errors": "float32 里的课本公式：误差以末位单位计，从 0.5 到 2²⁴",
        "scripts": "练习的批改和网络的训练都靠 JavaScript，而它被关闭了。",
    },
}  # fmt: skip


def read_sections(text: str) -> list[Section]:
    """Return the sections of a document, of which the first has its title; a line of code is no heading."""
    marks = [mark for mark in re.finditer(r"^```.*?^```$|^(#+) ([^\n]+)$", text, flags=re.M | re.S) if mark[1]]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        Section(len(mark[1]), mark[2], text[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=True)
    ]


@cache
def lesson(language: str) -> list[Section]:
    """Return the sections of the lesson in a language."""
    return read_sections((ROOT / LESSONS[language]).read_text(encoding="utf-8"))


def places(chapter: Chapter) -> list[int]:
    """Return the places of a chapter's sections in the lesson; raise ValueError for one that is not there."""
    titles = [section.title for section in lesson("en")]
    return [titles.index(title) for title in chapter.sections]


@cache
def addresses(language: str) -> dict[str, str]:
    """Return the page, and the place on it, of each anchor in the lesson."""
    found = {section.anchor: f"index.md#{section.anchor}" for section in lesson(language)}
    for chapter in CHAPTERS:
        for section in (lesson(language)[place] for place in places(chapter)):
            found[section.anchor] = f"{chapter.name}.md" + (f"#{section.anchor}" if section.level > 2 else "")
    return found


def adapt(text: str, language: str) -> str:
    """Return a text of the lesson with the links of its page; raise KeyError for an anchor that is not there."""
    linked = relink(text, LESSONS[language])
    return re.sub(r"\]\(#([^)]+)\)", lambda found: f"]({addresses(language)[found[1]]})", linked)


# ---------------------------------------------------------------------------------------------- pages


def draw_figure(names: str, language: str) -> str:
    """Return a figure of one or several functions, which a script makes live."""
    words = WORDS[language]
    if names == "trainer":
        return '<div class="trainer"></div>'
    if names.startswith("errors: "):
        functions = names.removeprefix("errors: ")
        attributes = f'data-errors="{functions}" data-span="-100 100" data-axis="x"'
        picture = f'<svg class="curve" role="img" aria-label="{words["errors"]}"></svg>'
        caption = words["errors"] + drawing.name_colours(functions.split())
        return f'<figure class="curve" {attributes}>{picture}<figcaption>{caption}</figcaption></figure>'
    return draw_together(names, words["show"], words["curves"])


def describe(chapter: Chapter, language: str) -> dict[str, Any]:
    """Return all that the template shows of a chapter."""
    sections = [lesson(language)[place] for place in places(chapter)]
    parts = [section.text if section.level == 2 else f"## {section.title}\n\n{section.text}" for section in sections]
    exercises = EXERCISES[chapter.name]
    home = "../" * page_of(LESSONS[language]).count("/")
    return {
        "title": chapter.titles[language],
        "other": f"zh/{chapter.name}.md" if language == "en" else f"../{chapter.name}.md",
        "figures": [draw_figure(names, language) for names in chapter.figures],
        "training": f"{home}training.html#{chapter.training}" if chapter.training else "",
        "text": adapt("\n\n".join(parts), language),
        "exercises": [
            {
                "question": exercise.english if language == "en" else exercise.chinese,
                "program": exercise.program,
                "output": (output := solve(exercise)),
                "answer": output.splitlines()[-1],
                "choices": exercise.choices,
            }
            for exercise in exercises
        ],
        "words": WORDS[language],
    }


def write_index(language: str) -> str:
    """Return the first page: the lesson's opening, its chapters, and the sections that are in no chapter."""
    taken = {place for chapter in CHAPTERS for place in places(chapter)}
    sections = lesson(language)
    title, *rest = [place for place in range(len(sections)) if place not in taken]
    parts = []
    for place in rest:
        section = sections[place]
        below = []
        for part in sections[place + 1 :]:
            if part.level <= section.level:
                break
            below.append(f"- [{part.title}]({addresses(language)[part.anchor]})")
        parts.append(f"## {section.title}\n\n{adapt(section.text, language)}\n\n" + "\n".join(below))
    template = environment().get_template("course.md.j2")
    return template.render(
        title=sections[title].title,
        opening=adapt(sections[title].text, language),
        chapters=[
            (
                chapter.titles[language],
                chapter.name,
                [part.title for part in (sections[place] for place in places(chapter)) if part.level > 2],
            )
            for chapter in CHAPTERS
        ],
        parts=parts,
        words=WORDS[language],
        editions=[f"{WORDS[language]['other']} <zh/index>"] if language == "en" else [],
    )


def pages() -> Iterator[tuple[str, str]]:
    """Yield the path and the Markdown of each page of the course."""
    template = environment().get_template("chapter.md.j2")
    for language, document in LESSONS.items():
        folder = page_of(document).removesuffix("index.md")
        yield f"{folder}index.md", write_index(language)
        for chapter in CHAPTERS:
            yield f"{folder}{chapter.name}.md", template.render(describe(chapter, language))


def write_course(sources: pathlib.Path) -> None:
    """Write the pages of the course into the folder for Sphinx."""
    for path, text in pages():
        (sources / path).parent.mkdir(parents=True, exist_ok=True)
        (sources / path).write_text(text, encoding="utf-8")

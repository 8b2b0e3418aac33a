"""Studies of several tasks, and the ranks over them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from slopes.comparing import export
from slopes.comparing.across import page
from slopes.comparing.across.ranks import Ranking, Test, rank
from slopes.comparing.across.words import describe_ranks
from slopes.comparing.api import compare
from slopes.comparing.errors import StudyError
from slopes.comparing.results import FIELD_KEPT, Among
from slopes.comparing.saving import FILE
from slopes.comparing.settings import DATASETS, Settings, folder
from slopes.comparing.study import Study
from slopes.notebook import escape, table

PARTS: dict[Among, str] = {"activations": "activation", "losses": "loss", "all": "pair"}


class Benchmark:
    """Studies of the same functions on several tasks, which rank them: print it, or use its `ranks` and `report`.

    It is the result of `compare_tasks`, and can be made of studies that ended before, by the names of their tasks.
    """

    def __init__(self, studies: Mapping[str, Study], folder: str | os.PathLike[str] = "slopes-compare") -> None:
        if len(studies) < 2:
            raise ValueError(f"a benchmark needs two studies or more, got {len(studies)}.")
        self.studies = dict(studies)
        self.folder = Path(folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read the studies of a benchmark that ended, without models and data; StudyError where there are none."""
        found = sorted(path.parent for path in Path(folder).glob(f"*/{FILE}"))
        if len(found) < 2:
            raise StudyError(f"{folder}: there is no benchmark here; give the output folder of one that ended.")
        return cls({path.name: Study.load(path) for path in found}, folder)

    def ranks(self, among: Among = "activations", *, test: Test = "nemenyi", alpha: float = 0.05) -> Ranking:
        """Rank the functions by the mean of each task's first metric on test data.

        `among` the ``"activations"``, each with the baseline's loss, the ``"losses"``, each with the baseline's
        activation, or ``"all"`` pairs. Friedman's test asks whether the ranks differ at all; then `test` compares each
        pair: ``"nemenyi"`` by mean ranks, ``"wilcoxon"`` by differences in units of each metric's margin, with Holm's
        correction. `alpha` bounds the chance of any false difference. Functions that one of the tasks has not trained
        are left out.

        Raises ValueError where fewer than two functions are left.
        """
        scores = self.scores(among)
        names = self._common(among)
        if len(names) < 2:
            raise ValueError(f"ranks: {len(names)} of the {among} are trained on all tasks; there must be two or more.")
        rows = np.array([[row[name] for name in names] for row in scores.values()])
        return rank(names, list(scores), rows, test, alpha)

    def scores(self, among: Among = "activations") -> dict[str, dict[str, float]]:
        """Scores of the trained functions by task: means of its first metric in units of its margin; more is better."""
        if among not in PARTS:
            raise ValueError(f"ranks: among is one of {', '.join(map(repr, PARTS))}, got {among!r}.")
        found, kept = {}, FIELD_KEPT[among]
        for task, study in self.studies.items():
            metric, rows = study.metrics[0], {}
            for pair in study.ranking:
                if not kept or getattr(pair, kept) == getattr(study.baseline, kept):
                    name = pair.title if among == "all" else getattr(pair, PARTS[among])
                    rows[name] = (1 if metric.higher else -1) * pair.estimate().mean / metric.margin
            found[task] = rows
        return found

    def _common(self, among: Among) -> list[str]:
        first, *others = self.scores(among).values()
        names = [name for name in first if all(name in rows for rows in others)]
        study = next(iter(self.studies.values()))
        order = {"activations": study.plan.names["activation"], "losses": study.plan.names["loss"]}.get(among, names)
        return [name for name in order if name in names]

    def left_out(self, among: Among = "activations") -> list[str]:
        """Functions that are trained on some tasks, but not on all."""
        names = dict.fromkeys(name for rows in self.scores(among).values() for name in rows)
        return [name for name in names if name not in self._common(among)]

    def table(
        self, among: Among = "activations", *, test: Test = "nemenyi", alpha: float = 0.05
    ) -> list[dict[str, Any]]:
        """One dict per function, best mean rank first, with its rank on each task and the names worse than it."""
        found = self.ranks(among, test=test, alpha=alpha)
        return [
            {
                PARTS[among]: name,
                "mean_rank": float(found.means[place]),
                **{
                    f"rank_{task}": float(value) for task, value in zip(found.tasks, found.ranks[:, place], strict=True)
                },
                "better_than": [found.names[i] for i in range(place + 1, len(found.names)) if found.is_apart(place, i)],
            }
            for place, name in enumerate(found.names)
        ]

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write one row per run of all tasks to a file, ``.csv``, ``.json`` or ``.parquet``, and return its path."""
        rows = [{"task": task, **row} for task, study in self.studies.items() for row in study.rows()]
        return export.export(rows, Path(path))

    def report(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the page, by default ``report.html`` in the folder, and return its path.

        Raises StudyError where it cannot be written.
        """
        target = self.folder / "report.html" if path is None else Path(path)
        return page.write(self.studies, self.answers(), self.folder, target)

    def answers(self) -> list[tuple[Among, Ranking, list[str]]]:
        """(part, ranks, sentences) of each part with two functions or more."""
        found: list[tuple[Among, Ranking, list[str]]] = []
        for among in ("activations", "losses", "all"):
            ranked = self._common(among)
            parts = {"activation": len(self._common("activations")), "loss": len(self._common("losses"))}
            if len(ranked) > 1 and (among != "all" or min(parts.values()) > 1):
                ranks = self.ranks(among)
                found.append((among, ranks, describe_ranks(ranks, PARTS[among], self.left_out(among))))
        return found

    def __str__(self) -> str:
        lines = []
        for among, ranks, sentences in self.answers():
            lines += [f"Ranks of {'pairs' if among == 'all' else among}", *sentences]
            width = max(map(len, ranks.names))
            lines += [f"  {name:<{width}}  {mean:.2f}" for name, mean in zip(ranks.names, ranks.means, strict=True)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = []
        for among, ranks, sentences in self.answers():
            head = [PARTS[among], "mean rank", *ranks.tasks]
            rows = [
                [escape(name), f"{ranks.means[i]:.2f}", *(f"{value:g}" for value in ranks.ranks[:, i])]
                for i, name in enumerate(ranks.names)
            ]
            words = escape(" ".join(sentences))
            parts.append(f"<p>{words}</p>{table(rows, [escape(each) for each in head], right=range(1, len(head)))}")
        return "".join(parts)

    def __repr__(self) -> str:
        return f"<Benchmark: {len(self.studies)} tasks, in {self.folder}>"


def compare_tasks(
    tasks: Iterable[Any] | Mapping[str, Any], *, out: str | os.PathLike[str] = "slopes-compare", **options: Any
) -> Benchmark:
    """Run `slopes.compare` on several tasks, and rank the functions over them.

    A task is data as `compare` takes them, or a dict with ``data`` and options for it alone, such as ``model`` and
    ``target``; `tasks` may be a mapping from names to tasks. All take the options of `compare`. Each study has its own
    folder in `out`, so that the same call resumes after a kill; the page with the ranks is ``out/report.html``.

    Raises ValueError for fewer than two tasks or two of one name, and the errors of `compare`; wrong options are found
    before anything is trained.
    """
    named = list(tasks.items()) if isinstance(tasks, Mapping) else [("", task) for task in tasks]
    place = folder("out", out)
    planned = [_options_of(name, task, number) for number, (name, task) in enumerate(named, 1)]
    names = [name for name, _ in planned]
    folders = [re.sub(r"[^\w.=-]+", "_", name) for name in names]
    for name, inside in zip(names, folders, strict=True):
        if folders.count(inside) > 1:
            raise ValueError(f"compare: two tasks are called {name!r}; give a mapping from names to tasks.")
    if len(planned) < 2:
        raise ValueError(f"compare: tasks must be two or more, got {len(planned)}; for one there is compare.")
    given = [{**options, **own, "out": place / inside} for (_, own), inside in zip(planned, folders, strict=True)]
    for each in given:
        Settings(**each)  # raises before the first task trains
    found = Benchmark({name: compare(**each) for name, each in zip(names, given, strict=True)}, place)
    found.report()
    return found


def _options_of(name: str, task: Any, number: int) -> tuple[str, dict[str, Any]]:
    """(name of a task, its own options)."""
    own = dict(task) if isinstance(task, Mapping) and "data" in task else {"data": task}
    data = own["data"]
    if isinstance(data, (str, Path)):
        is_builtin = str(data).partition("(")[0] in DATASETS
        return name or (str(data) if is_builtin else Path(data).stem), own
    return name or f"task {number}", own

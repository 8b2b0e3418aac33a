"""The command line; a command imports what it needs, so that ``--help`` answers at once."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

try:
    import click
except ModuleNotFoundError:  # the library works without click
    from slopes.extras import install

    print(f"slopes: the command line needs click: {install('click')}", file=sys.stderr)
    raise SystemExit(2) from None

from slopes import __version__
from slopes.comparing.settings import DATASETS, OPTIONS
from slopes.extras import require
from slopes.hints import did_you_mean

if TYPE_CHECKING:
    from slopes.card import Card

#: exceptions of `slopes.loading.load`
WRONG_SPEC = (LookupError, OSError, ImportError, AttributeError, TypeError, ValueError)


class _Slopes(click.Group):
    def main(self, *args: Any, **options: Any) -> Any:
        try:
            if sys.stdout is None:  # a file opened later would get its number and the output
                raise click.UsageError("standard output is closed; to see nothing, send it to /dev/null")
            status = super().main(*args, **{**options, "standalone_mode": False})
        except click.Abort as error:
            click.echo("; ".join(["slopes: interrupted", *getattr(error.__cause__, "__notes__", [])]), err=True)
            status = 130
        except click.ClickException as error:
            click.echo(f"slopes: {' '.join(error.format_message().split())}", err=True)
            status = 2
        except OSError as error:  # as for a full disk behind the pipe
            click.echo(f"slopes: {error.strerror or error}", err=True)
            status = 2
            with suppress(OSError):  # flushing at exit would fail again, with a traceback
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(status or 0)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(f"no command {args[0]!r}; {did_you_mean(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


@contextmanager
def _complaining(*kinds: type[Exception], prefix: str = "") -> Iterator[None]:
    """Turn errors of input into one line and status 2."""
    try:
        yield
    except BrokenPipeError:  # the reader closed the pipe: no mistake
        raise
    except kinds as error:
        raise click.UsageError(prefix + str(error)) from error


def _load(specs: Sequence[str]) -> list[Card]:
    from slopes import loading

    with _complaining(*WRONG_SPEC):
        return [loading.load(spec) for spec in specs]


@contextmanager
def _blaming(specs: Sequence[str], cards: Sequence[Card]) -> Iterator[None]:
    """Report an error of a user's card in one line; our own keep their traceback."""
    from slopes import loading

    try:
        yield
    except Exception as error:
        for spec, card in zip(specs, cards, strict=True):
            line = loading.line_in(getattr(getattr(card.body, "__code__", None), "co_filename", ""), error)
            if line and card.__module__.startswith(loading.__name__):
                raise click.UsageError(f"{spec}{line}: {loading.describe(error)}") from error
        raise


@contextmanager
def _warning() -> Iterator[None]:
    """Print a warning in one line, without its place in our code."""

    def tell(message: Warning | str, *_: Any, **__: Any) -> None:
        click.echo(f"slopes: {' '.join(str(message).split())}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = tell
        yield


def _is_piped() -> bool:
    return not sys.stdout.isatty() and "COLUMNS" not in os.environ


def _split(option: str, listed: str) -> list[str]:
    """Split at commas, except in brackets."""
    names = [name.strip() for name in re.split(r",(?![^()]*\))", listed)]
    if not all(names):
        raise click.UsageError(f"{option} takes names with commas between them, as in relu,gelu; got {listed!r}")
    return names


def _json(value: Any) -> None:
    click.echo(json.dumps(_plain(value), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    """Convert a value for JSON; inf and NaN become text that float() reads."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


@click.group(cls=_Slopes, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="slopes", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Activation and loss functions: list, show, audit, measure and compare them.

    A NAME is one of `slopes list`, with parameters as in 'elu(alpha=0.5)', or a card of your
    own, as in my_losses.py:my_loss.

    \b
    Examples:
      slopes list
      slopes show silu gelu
      slopes audit my_losses.py:my_loss
      slopes accuracy gelu --against torch
      slopes compare
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@main.command("list")
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List every function: its names, kind, parameters and what it does.

    \b
    Examples:
      slopes list
    """
    from slopes import catalogue, description

    entries = catalogue.entries(catalogue.CARDS.values())
    if as_json:
        return _json(entries)
    with _complaining(ImportError):
        from rich.table import Table
        from rich.text import Text

        from slopes.plotting import terminal

    wide = _is_piped()  # one line per card, for grep
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=wide, overflow="fold", style="bold")
    for entry in entries:
        names, kind, summary = ", ".join([entry["name"], *entry["aliases"]]), entry["kind"], entry["summary"]
        listed = ", ".join(description.default_words(parameter) for parameter in entry["parameters"])
        if wide:
            table.add_row(names, kind, Text(summary), Text(listed))
        else:
            small = Text(f"{kind}; {listed}" if listed else kind, style="dim")
            table.add_row(names, Text(f"{summary}\n").append(small))
    terminal.emit(table, width=1000 if wide else None)


@main.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--out", metavar="FILE", help="Write a picture or page instead: .png, .svg or .html.")
@click.option("as_json", "--json", is_flag=True, help="Print the facts and the sampled points as JSON.")
def show(names: tuple[str, ...], out: str | None, as_json: bool) -> None:
    """Show the curve, the slope and the facts of one or several functions.

    \b
    Examples:
      slopes show silu
      slopes show 'elu(alpha=0.5)' gelu --out activations.svg
      slopes show my_losses.py:my_loss --out my_loss.html
      slopes show huber --json
    """
    from slopes import plotting

    cards = _load(names)
    with _blaming(names, cards):
        with _complaining(ValueError, OSError, ImportError):
            if out is not None or not as_json:
                plotting.show(*cards, out=out)
        if as_json:
            _json([plotting.described(card) for card in cards])
        elif out is not None:
            click.echo(f"wrote {out}")


@main.command()
@click.argument("names", nargs=-1, metavar="NAME|PATH...")
@click.option("everything", "--all", is_flag=True, help="Audit the whole catalogue.")
@click.option("--pattern", metavar="GLOB", help="In files, audit classes and functions of such names, as in '*Loss'.")
@click.option("--changed-since", metavar="REV", help="Audit only subjects with lines that git says changed since REV.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="How many processes audit files at once.")
@click.option("--details", is_flag=True, help="Show all findings of files, below the list.")
@click.option(
    "--format", "style", type=click.Choice(["text", "json", "sarif", "github", "junit"]), default="text",
    show_default=True, help="How to print the results.",
)  # fmt: skip
@click.option(
    "--against", metavar="NAME", help="Reference that it must equal: torch.nn.MSELoss, a card, or file.py:object."
)
@click.option("--kind", metavar="KIND", help="Kind of the loss, as in regression or classification; or activation.")
@click.option("--space", metavar="SPACE", help="Space of the predictions: logits, probabilities or log_probabilities.")
@click.option(
    "--elicits", metavar="WHAT", help="The best constant prediction: mean, median, 'quantile 0.9', probability."
)
@click.option("--divisor", metavar="WHAT", help="Divisor of the mean: elements, rows, weights, valid or one.")
@click.option(
    "--example", metavar="EXPR", help="A batch for a loss of no kind, as in 'torch.randn(8, 3), torch.randn(8)'."
)
@click.option("--roles", metavar="ROLE,...", help="Roles of the tensors of --example, as in prediction,target,mask.")
@click.option("--call", metavar="EXPR", help="How to call it, as in 'lambda loss, batch: loss(*batch, beta=0.1)'.")
@click.option(
    "--framework", metavar="NAME", help="Framework of its arrays, where its code does not show it: jax, keras."
)
@click.option("--bounded", is_flag=True, help="The loss saturates on purpose, as robust losses do.")
@click.option("--batch-level", is_flag=True, help="The loss depends on a whole batch on purpose.")
@click.option("--allow", multiple=True, metavar="CHECK", help="Take the findings of this check as notes; repeatable.")
@click.option(
    "--fail-on", type=click.Choice(["error", "warning", "note"]), default="warning", show_default=True,
    help="The least severe finding that makes the exit status 1.",
)  # fmt: skip
@click.option("--quick", is_flag=True, help="Skip slow checks.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Chooses the random inputs.")
@click.option("--time-limit", type=click.FloatRange(min=1), default=120.0, show_default=True, help="Seconds for each.")
@click.option(
    "--memory-limit", type=click.FloatRange(min=1), default=400.0, show_default=True, metavar="MB",
    help="Skip batches that would take more.",
)  # fmt: skip
@click.option("as_json", "--json", is_flag=True, help="The same as --format json.")
def audit(
    names: tuple[str, ...], everything: bool, pattern: str | None, changed_since: str | None, jobs: int | None,
    details: bool, style: str, as_json: bool, allow: tuple[str, ...], roles: str | None, **options: Any,
) -> int:  # fmt: skip
    """Look for faults that silently ruin a training, and show the input that does it.

    NAME is a function, class or module of your own (file.py:object), of torch (torch.nn.BCELoss), or of the
    catalogue, or a PATH: of a file or folder all losses and activations are audited. Files run, in a process for each
    subject. How to call the function is found out, or declared by options. The exit status is 0 if all are clean, 1
    if something was found that --fail-on asks for, 2 for a usage error.

    \b
    Examples:
      slopes audit my_losses.py:FocalLoss
      slopes audit my_losses.py:my_mse --against torch.nn.MSELoss
      slopes audit my_losses.py:dice --kind overlap --space probabilities --quick
      slopes audit my_losses.py:dpo --example 'torch.randn(8), torch.randn(8)' --roles chosen,rejected
      slopes audit src --quick --details
      slopes audit src --allow saturation --fail-on error
      slopes audit src --changed-since main --format sarif > audit.sarif
    """
    if bool(names) == everything:
        raise click.UsageError(
            "audit: name the objects to audit, as in slopes audit my_losses.py:my_loss, or else --all"
        )
    options["roles"] = None if roles is None else tuple(_split("--roles", roles))
    with _complaining(*WRONG_SPEC):
        from slopes.auditing import explanations, survey
        from slopes.plotting import terminal

        for check in allow:
            explanations.read_page(check)  # raises for an unknown one
        cases = survey.catalogue_cases() if everything else survey.find_cases(names, pattern, changed_since)
        writer = survey.FORMATS["json" if as_json else style](cases, details)
        results = []
        for result in survey.audit_cases(cases, jobs, allow=allow, **options):
            results.append(result)
            terminal.write(writer.each(result))
    terminal.write(writer.end(results))
    return 0 if all(result.ok for result in results) else 1


@main.command()
@click.argument("check", required=False, metavar="[CHECK]")
def explain(check: str | None) -> None:
    """Print the page on a CHECK of the audit: why the fault matters, an example, and the repair.

    Without a CHECK, list them all.

    \b
    Examples:
      slopes explain
      slopes explain extreme_inputs
    """
    from slopes.auditing import explanations
    from slopes.plotting import terminal

    if check is None:
        titles = explanations.list_titles()
        width = max(map(len, titles))
        terminal.write("".join(f"{name:<{width}}  {title}\n" for name, title in titles.items()))
        return
    with _complaining(LookupError):
        page = explanations.read_page(check)
    if not sys.stdout.isatty():
        return terminal.write(page)
    from rich.markdown import Markdown

    terminal.emit(Markdown(page))


def _numbers_of_claim(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in text.split(",") if number.strip())


def _truth_of_claim(text: str) -> bool:
    return {"true": True, "false": False}[text.strip().lower()]


#: readers of the values of claims
CLAIMS: dict[str, Callable[[str], Any]] = {
    "range": _numbers_of_claim,
    "zero": float,
    "minimum": float,
    "lipschitz": float,
    "monotone": _truth_of_claim,
    "convex": _truth_of_claim,
    "symmetry": str.strip,
    "kinks": _numbers_of_claim,
    "slope_roots": _numbers_of_claim,
}


def _read_claim(stated: str) -> tuple[str, Any]:
    name, is_given, text = stated.partition("=")
    if name not in CLAIMS:
        raise click.UsageError(f"prove: no claim {name!r}; {did_you_mean(name, CLAIMS)}")
    with suppress(ValueError, KeyError):
        if is_given:
            return name, CLAIMS[name](text)
    raise click.UsageError(
        f"prove: cannot read --claim {stated!r}; write it as in range=-1,inf, lipschitz=1.5 or monotone=true"
    )


@main.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--claim", "stated", multiple=True, metavar="CLAIM=VALUE",
    help="Prove this in place of the card's claims: range=LOW,HIGH, zero=, lipschitz=, monotone=true, convex=, "
    "symmetry=odd, kinks=X,..., slope_roots=X,... or, of a loss, minimum=; repeat it for more.",
)  # fmt: skip
@click.option(
    "--effort", type=click.IntRange(min=1), default=20_000, show_default=True, help="Most intervals for each claim."
)
@click.option("as_json", "--json", is_flag=True, help="Print the verdicts as JSON.")
def prove(names: tuple[str, ...], stated: tuple[str, ...], effort: int, as_json: bool) -> int:
    """Prove the claims of activations and losses for all floating-point numbers, or show a number that refutes them.

    NAME is an activation or a loss, as for `slopes show`. The exit status is 0, also if a claim stays open, 1 if one is
    refuted, 2 for a usage error.

    \b
    Examples:
      slopes prove silu gelu huber cross_entropy
      slopes prove my_activations.py:my_activation --claim range=-0.5,inf --claim lipschitz=1.1
      slopes prove 'elu(alpha=0.5)' --claim monotone=true --claim kinks=0
    """
    from slopes.plotting import terminal

    claims = dict(map(_read_claim, stated)) or None
    cards: list[Any] = _load(names)
    proofs = []
    with _complaining(ImportError, TypeError, ValueError):
        from slopes.proving import prove as prove_claims

        for card in cards:
            proofs.append(prove_claims(card, claims=claims, effort=effort))
            if not as_json:
                terminal.write(f"{proofs[-1]}\n")
    if as_json:
        _json([{"card": proof.card, "ok": proof.ok, "verdicts": proof.table()} for proof in proofs])
    return 0 if all(proof.ok for proof in proofs) else 1


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option(
    "--against", metavar="LIBRARY,...", help="Measure their functions of the same name, as in torch,jax,scipy,keras."
)
@click.option("--out", metavar="FILE", help="Write a page in Markdown instead.")
@click.option(
    "--update", is_flag=True, help="Put the rows of these functions into the page, docs/accuracy.md or --out."
)
@click.option(
    "--exhaustive",
    is_flag=True,
    help="Count the errors of activations at all float32 numbers, into docs/exhaustive.csv or --out: minutes each.",
)
@click.option(
    "--readings", metavar="READING,...", help="Of --exhaustive: kernel, torch kernel, NumPy, torch and PyTorch."
)
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="How many processes measure.")
@click.option("as_json", "--json", is_flag=True, help="Print every figure as JSON.")
def accuracy(
    names: tuple[str, ...], against: str | None, out: str | None, update: bool, exhaustive: bool, readings: str | None,
    workers: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Measure the errors of values, slopes and second derivatives in units in the last place.

    Without names, the whole catalogue, in minutes. With --exhaustive, an interrupted count is continued where it was,
    and a page accuracy.md beside the file gets the table. The exit status is 0, 1 if something could not be measured,
    2 for a usage error.

    \b
    Examples:
      slopes accuracy gelu huber
      slopes accuracy --against torch,jax,scipy,keras --out docs/accuracy.md
      slopes accuracy --exhaustive gelu silu --workers 2
    """
    if exhaustive and (against or update):
        raise click.UsageError("accuracy: --exhaustive takes neither --against nor --update")
    if readings is not None and not exhaustive:
        raise click.UsageError("accuracy: --readings goes with --exhaustive")
    cards = _load(names) if names else None
    if exhaustive:
        return _count_exhaustively(cards, out or "docs/exhaustive.csv", readings, workers or 1, as_json)
    return _measure(cards, against, out, update, workers, as_json)


def _measure(
    cards: Sequence[Card] | None, against: str | None, out: str | None, update: bool, workers: int | None, as_json: bool
) -> int:
    if workers is None:
        workers = 1 if cards and len(cards) < 8 else os.cpu_count() or 1  # a process starts in seconds
    with _complaining(ImportError):
        from slopes.accuracy import measure
    out = out or ("docs/accuracy.md" if update else None)
    page = _page_to_update(str(out), cards, against) if update else None
    _check_place(out)
    libraries = [] if against is None else _split("--against", against)
    with _complaining(LookupError, ImportError):
        result = measure(cards, against=libraries, workers=workers, progress=_print_progress)
    if update and not result.ok:
        out = None  # the page stays as it is
    _report_accuracy(result, out, page, as_json)
    return 0 if result.ok else 1


def _check_place(out: str | None) -> None:
    """Refuse a file that cannot be written, before minutes have passed."""
    if out is not None and (os.path.isdir(out) or not os.path.isdir(os.path.dirname(out) or ".")):
        raise click.UsageError(f"accuracy: cannot write {out!r}: no such folder, or one of that name")


def _count_exhaustively(
    cards: Sequence[Card] | None, file: str, readings: str | None, workers: int, as_json: bool
) -> int:
    with _complaining(ImportError):
        from slopes.accuracy import exhaustive, report
    from slopes.plotting import terminal

    _check_place(file)
    if cards is None:
        cards = exhaustive.elementwise_activations()
    with _complaining(ImportError, TypeError, ValueError):
        chosen = exhaustive.READINGS if readings is None else _split("--readings", readings)
        counts = exhaustive.count_all(cards, file, chosen, workers, progress=_print_progress)
    _put_counts(os.path.join(os.path.dirname(file), "accuracy.md"), counts)
    mine = [count for count in counts if count.card in {card.name for card in cards}]
    if as_json:
        _json([vars(count) for count in mine])
    else:
        terminal.emit(report.counts_table(mine), width=240 if _is_piped() else None)
    return 0


def _put_counts(page: str, counts: Sequence[Any]) -> None:
    """Put the section on every float32 number into a page, if there is one."""
    from slopes.accuracy import updating

    if os.path.isfile(page):
        with _complaining(ValueError, OSError, prefix="accuracy: "):
            text = updating.put_counts(updating.read_page(page), counts)
            with open(page, "w", encoding="utf-8") as file:
                file.write(text)


def _print_progress(done: int, total: int, name: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[Kmeasured {done} of {total}: {name}\r", err=True, nl=done == total)


def _report_accuracy(result: Any, out: str | None, page: Any, as_json: bool) -> None:
    from slopes.accuracy import exhaustive, updating
    from slopes.plotting import terminal

    if out is not None:
        text = result.page() if page is None else updating.update_page(page, result)
        with _complaining(OSError, prefix="accuracy: "), open(out, "w", encoding="utf-8") as file:
            file.write(text)
        counts = exhaustive.read_counts(os.path.join(os.path.dirname(out), "exhaustive.csv"))
        if counts:
            _put_counts(out, counts)
    if as_json:
        failures = [vars(failure) for failure in result.failures]
        _json({"versions": result.versions, "figures": result.table(), "failures": failures})
    elif out is not None:
        click.echo(f"wrote {out}")
    else:
        terminal.emit(result, width=240 if _is_piped() else None)


def _page_to_update(file: str, cards: Sequence[Card] | None, against: str | None) -> Any:
    from slopes import catalogue
    from slopes.accuracy import updating

    if against or not cards or not set(cards) <= set(catalogue.CARDS.values()):
        raise click.UsageError("accuracy: --update takes names of the catalogue, and keeps the figures of all peers")
    with _complaining(ValueError, OSError, prefix="accuracy: "):
        return updating.read_page(file)


@main.command("compile")
@click.argument("names", nargs=-1, metavar="[NAME...]")
def compile_(names: tuple[str, ...]) -> None:
    """Compile the kernels of activations and losses before they are needed, and keep them on disk.

    NAME is as for `slopes show`; without one, the whole catalogue, in some minutes. The environment variable
    SLOPES_CACHE names a folder other than the user's cache.

    \b
    Examples:
      slopes compile
      slopes compile gelu mse 'elu(alpha=0.5)' my_file.py:my_activation
    """
    from slopes.catalogue import CARDS

    cards = _load(names) if names else list(dict.fromkeys(CARDS.values()))
    with _complaining(ImportError):
        from slopes import kernels

        require("slopes compile", "numba")
    total = 0
    for card, count in kernels.compile_all(cards):
        total += count
        if names or count:
            click.echo(f"{card.name}: {count} kernels" if count else f"{card.name}: computed without kernels")
    place = kernels.folder()
    click.echo(f"{total} kernels" + (f" in {place}" if place else ", which no folder keeps"))


def _read_numbers(option: str, listed: str) -> list[float]:
    with _complaining(ValueError, prefix=f"{option} takes numbers with commas, as in 0.001,0.01: "):
        return [float(number) for number in listed.split(",")]


def _read_object(option: str, spec: str) -> Any:
    from slopes import loading

    with _complaining(*WRONG_SPEC):
        return loading.find(spec)


def _read_seeds(option: str, count: str) -> int | str:
    if count == "auto":
        return count
    if not count.isdecimal() or not int(count):
        raise click.UsageError(f"{option} takes a whole number of at least 1, or auto, got {count!r}.")
    return int(count)


#: readers of an option's text, by the option's kind
READERS: dict[str, Callable[[str, str], Any]] = {
    "names": lambda option, listed: tuple(_split(option, listed)),
    "numbers": _read_numbers,
    "object": _read_object,
    "seeds": _read_seeds,
    "place": lambda _, place: int(place) if re.fullmatch(r"-?\d+", place) else place,
}
TYPES: dict[str, Any] = {"count": click.IntRange(min=1), "number": float}


def _options_of_a_comparison(command: Callable[..., Any]) -> Callable[..., Any]:
    for each in reversed(OPTIONS):
        told = each.metadata["on_command_line"]
        if told is not None:
            command = click.option(
                _spelled(each.name),
                metavar=told.metavar,
                help=told.help or each.metadata["about"],
                is_flag=told.kind == "flag",
                type=TYPES.get(told.kind),
            )(command)
    command.__doc__ = (command.__doc__ or "").replace("DATASETS", ", ".join(DATASETS))
    return command


def _spelled(option: str) -> str:
    return f"--{option.replace('_', '-')}"


def _read_options(options: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `slopes.compare` from the options that were given."""
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    for each in OPTIONS:
        told = each.metadata["on_command_line"]
        if each.name in given and told is not None and told.kind in READERS:
            given[each.name] = READERS[told.kind](_spelled(each.name), given[each.name])
    return given


def _compare_tasks(
    tasks: Sequence[str], metric: str | None, given: dict[str, Any], export: str | None, as_json: bool
) -> int:
    if "data" in given or metric is not None:
        raise click.UsageError("compare: --tasks goes without DATA and --metric.")
    with _complaining(ImportError):
        from slopes.comparing import StudyError, compare_tasks
        from slopes.comparing.export import writer
        from slopes.plotting import terminal
    with _complaining(StudyError, TypeError, ValueError, OSError, ImportError, LookupError), _warning():
        if export is not None:
            writer(export)  # fails before the training
        result = compare_tasks(tasks, **given)
        if export is not None:
            result.export(export)
    report = str(result.folder / "report.html")
    if as_json:
        _json({among: result.table(among) for among, _, _ in result.answers()} | {"report": report})
    else:
        terminal.write(f"{result}\nreport: {report}\n")
    return 0 if any(study.runs for study in result.studies.values()) else 1


@main.command()
@click.argument("model", required=False, metavar="[MODEL")
@click.argument("data", required=False, metavar="[DATA]]")
@_options_of_a_comparison
@click.option("--tasks", metavar="DATA,...", help="Rank over several tasks in place of DATA: digits,mnist5k,my.csv.")
@click.option("--metric", metavar="NAME", help="Metric to show in place of the task's first one.")
@click.option("--export", metavar="FILE", help="Write a row per run, too: .csv, .json or .parquet.")
@click.option("--dry-run", is_flag=True, help="Train nothing; estimate how long it takes and how much memory.")
@click.option("as_json", "--json", is_flag=True, help="Print the results as JSON.")
def compare(
    tasks: str | None, metric: str | None, export: str | None, dry_run: bool, as_json: bool, **options: Any
) -> int:
    """Train a network for every activation x loss, and report which differences are real.

    MODEL is mlp, cnn, transformer or your own (file.py:Model); DATA is DATASETS
    or your own file (.csv, .npz, .parquet). The same command after an interruption goes on where it stopped. The
    exit status is 0, 1 if no run could be trained, 2 for a usage error.

    \b
    Examples:
      slopes compare
      slopes compare --activations relu,gelu,'elu(alpha=0.5)' --losses cross_entropy --seeds 10
      slopes compare cnn mnist5k --losses cross_entropy,my_losses.py:my_loss --out results
      slopes compare my_models.py:Model houses.csv --target price --baseline silu,mse
      slopes compare mlp --tasks digits,diabetes,breast_cancer
      slopes compare my_models.py:Model houses.csv --target price --dry-run
    """
    with _complaining(ImportError):
        from slopes.comparing.api import NEEDED

        require("slopes compare", *NEEDED)
    given = _read_options(options)
    if tasks is not None:
        return _compare_tasks(_split("--tasks", tasks), metric, given, export, as_json)
    with _complaining(ImportError):
        from slopes.comparing import StudyError, estimate
        from slopes.comparing import compare as study
        from slopes.comparing.export import writer
        from slopes.comparing.metrics import METRICS
        from slopes.plotting import terminal
    if export is not None:
        with _complaining(ValueError):
            writer(export)  # fails before the training
    known = list(dict.fromkeys(each.name for metrics in METRICS.values() for each in metrics))
    if metric not in (None, *known) and not options["metrics"]:
        raise click.UsageError(f"compare: no metric {metric!r}; there are {', '.join(known)}.")
    with _complaining(StudyError, TypeError, ValueError, OSError, ImportError, LookupError), _warning():
        if dry_run:
            found = estimate(**given)
            _json(asdict(found)) if as_json else terminal.write(f"{found}\n")
            return 0
        result = study(**given)
        if metric is not None:
            result.metric(metric)
        if export is not None:
            result.export(export)
    report = result.folder / "report.html"
    if as_json:
        _json({"table": result.table(metric), "verdicts": result.verdicts(metric), "report": str(report)})
    else:
        terminal.emit(result.listing(metric), width=120 if _is_piped() else None)
        terminal.write(f"report: {report}\n")
    return 0 if result.runs else 1

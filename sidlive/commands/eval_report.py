"""What `sidlive eval` found, as results, tables and a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sidlive.commands.eval_trials import Trial
from sidlive.commands.steering import text_of

if TYPE_CHECKING:
    from rich.console import Console

    from sidlive.model.judging.continuations import Summary
    from sidlive.model.judging.likelihood import Judged
    from sidlive.report import Result

    Sides = dict[str, dict[str, Summary | None]]  # summaries by measure, under "generated" and "real"


class Figures(NamedTuple):
    """Figures over all prompts of some trials: summaries of both sides, means of the critic's and the long runs'."""

    sides: "Sides"
    critic: dict[str, float | None]
    long: dict[str, float | None]


def nats(judged: "Judged") -> "list[Result]":
    """Return nats per frame in all, by group of columns and by kind of column."""
    from sidlive.model.judging.likelihood import interval
    from sidlive.report import Result

    results = []
    for name, values in {"": judged.totals, **judged.groups}.items():
        stem = f"nats_per_frame.{name}" if name else "nats_per_frame"
        figures = (("", float(values.mean())), *zip((".low", ".high"), interval(values), strict=True))
        results += [Result(stem + end, figure, "nats") for end, figure in figures]
    known = {result.name for result in results}
    kinds = [Result(f"nats_per_frame.{kind}", figure, "nats") for kind, figure in judged.kinds.items()]
    return results + [kind for kind in kinds if kind.name not in known]


def figures(trials: Sequence[Trial]) -> "list[Result]":
    """Return the figures over all trials, over the seeds of each choice of settings, and of each trial.

    The names of the latter end in what they are of: ``generated.auc[temperature=0.9]`` is the mean over all seeds,
    ``generated.auc[temperature=0.9,seed=2]`` one trial's.
    """
    results = _results(trials, "")
    choices = _choices(trials)
    if len(choices) > 1:
        for words, some in choices.items():
            results += _results(some, f"[{words}]")
    if any(len(some) > 1 for some in choices.values()):
        for words, some in choices.items():
            for trial in some:
                results += _results([trial], f"[{words}{',' if words else ''}seed={trial.seed}]")
    return results


def settings_tried(trials: Sequence[Trial]) -> "list[Result]":
    """Return the settings that differ from the defaults, and the seeds; several values as one text: "0.8,0.9"."""
    from sidlive.report import Result

    results = []
    for name in trials[0].settings:
        values = list(dict.fromkeys(trial.settings[name] for trial in trials))
        results.append(Result(f"settings.{name}", values[0] if len(values) == 1 else ",".join(map(text_of, values))))
    seeds = list(dict.fromkeys(trial.seed for trial in trials))
    return [*results, Result("seed", seeds[0] if len(seeds) == 1 else ",".join(map(str, seeds)))]


def _choices(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    """Return the trials of each choice of settings, by the settings that differ between trials: "temperature=0.9"."""
    varied = [name for name, value in trials[0].settings.items() if any(one.settings[name] != value for one in trials)]
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        words = ",".join(f"{name}={text_of(trial.settings[name])}" for name in varied)
        found.setdefault(words, []).append(trial)
    return found


def _figures(trials: Sequence[Trial]) -> Figures:
    """Return the figures over all prompts and runs of these trials."""
    import numpy as np

    from sidlive.model.judging.continuations import MEASURES, summarise

    sides = {
        side: {name: summarise(np.concatenate([trial.sides[side][name] for trial in trials])) for name in MEASURES}
        for side in ("generated", "real")
    }
    critic: dict[str, float | None] = {}
    for name in trials[0].critic:
        known = [value for trial in trials if (value := trial.critic.get(name)) is not None]
        critic[name] = float(np.mean(known)) if known else None
    long = {}
    for name in trials[0].long:
        summary = summarise(np.concatenate([trial.long[name] for trial in trials]))
        long[name] = summary.mean if summary else None
    return Figures(sides, critic, long)


def _results(trials: Sequence[Trial], suffix: str) -> "list[Result]":
    """Return the figures of these trials, their names with this suffix."""
    from sidlive.model.judging.continuations import MEASURES
    from sidlive.report import Result

    found = _figures(trials)
    results = [Result(f"generated.{name}{suffix}", value) for name, value in found.critic.items()]
    for side, measures in found.sides.items():
        for name, summary in measures.items():
            unit, stem = MEASURES[name][0], f"{side}.{name}"
            results.append(Result(f"{stem}{suffix}", summary.mean if summary else None, unit))
            if summary:
                results += [Result(f"{stem}.{end}{suffix}", getattr(summary, end), unit) for end in ("low", "high")]
                if unit == "frames":
                    results.append(Result(f"{stem}.longest{suffix}", summary.most, unit))
    return results + [Result(f"generated.{name}.10min{suffix}", value) for name, value in found.long.items()]


def tunes_text(judged: "Judged", split: str) -> str:
    """Return the number of tunes judged and their split, in words."""
    return f"{len(judged.by_kind)} tunes" if split == "all" else f"{len(judged.by_kind)} {split} tunes"


def print_tables(
    model: str,
    split: str,
    judged: "Judged",
    unheard: "Judged | None",
    notes: dict[str, float],
    trials: Sequence[Trial],
) -> None:
    """Print the figures as tables."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sidlive.model.judging.likelihood import interval
    from sidlive.report import plain

    console = Console()
    title = Text(plain(f"{model} on {tunes_text(judged, split)}"))
    table = Table(title=title, title_justify="left", box=None)
    for heading in ("", "nats per frame", "95 % over tunes"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, values in {"in all": judged.totals, **judged.groups}.items():
        low, high = interval(values)
        table.add_row(name.replace("_", " "), f"{values.mean():.3f}", f"{low:.3f} to {high:.3f}")
    if unheard:
        low, high = unheard.interval()
        name = f"{len(unheard.by_kind)} tunes of composers held out"
        table.add_row(name, f"{unheard.nats_per_frame:.3f}", f"{low:.3f} to {high:.3f}")
    console.print(table)
    if notes:
        mean, low, high = notes.values()
        console.print(f"notes, by the composer: {mean:.3f} nats per note (95 % over tunes: {low:.3f} to {high:.3f})")
    for words, some in _choices(trials).items() if trials else ():
        _print_continuations(console, words, some)


def _print_continuations(console: "Console", words: str, trials: Sequence[Trial]) -> None:
    """Print the figures of the trials of one choice of settings. ``words``: those that vary."""
    from rich.table import Table
    from rich.text import Text

    from sidlive.model.judging.continuations import MEASURES

    found, each = _figures(trials), [_figures([trial]) for trial in trials]
    seeds = [f"seed {trial.seed}" for trial in trials] if len(trials) > 1 else []
    title = "\nGenerated continuations beside the real ones" + (f", {words.replace(',', ', ')}" if words else "")
    table = Table(title=Text(title), title_justify="left", box=None)
    intervals = [] if seeds else ["95 %"]  # else the table is too wide
    for heading in ("", "generated", *intervals, *seeds, "real", *intervals, ""):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (unit, label) in MEASURES.items():
        cells = []
        for side in ("generated", "real"):
            summary = found.sides[side][name]
            cells.append(f"{summary.mean:.3g}" if summary else "none")
            if intervals:
                cells.append(f"{summary.low:.3g} to {summary.high:.3g}" if summary else "")
            if side == "generated" and seeds:
                alone = [one.sides[side][name] for one in each]
                cells += [f"{own.mean:.3g}" if own else "none" for own in alone]
        table.add_row(label, *cells, "" if unit in ("share", "1/s") else unit)
    console.print(table)
    for kind, end in (("critic", ""), ("long", " (10 min)")):
        for name, value in getattr(found, kind).items():
            line = f"{name.replace('_', ' ')}{end}: {_three(value)}"
            if seeds:
                singles = [_three(getattr(one, kind).get(name)) for one in each]
                line += f" ({', '.join(f'{seed}: {single}' for seed, single in zip(seeds, singles, strict=True))})"
            console.print(Text(line))


def _three(value: float | None) -> str:
    """Return a figure with three decimals."""
    return "unknown" if value is None else f"{value:.3f}"


def draw_figures(path: Path, title: str, judged: "Judged", trials: Sequence[Trial]) -> None:
    """Draw the figures to an .svg file."""
    from sidlive.model.judging.continuations import MEASURES
    from sidlive.model.judging.likelihood import interval
    from sidlive.picture import Bar, Chart, ChartRow, draw, save

    groups = {"in all": judged.totals, **judged.groups}
    rows = [
        ChartRow(name.replace("_", " "), "", (Bar(float(values.mean()), *interval(values)),))
        for name, values in groups.items()
    ]
    charts = [Chart("nats per frame, with 95 % intervals over tunes", ("",), tuple(rows), shared=True)]
    if trials:
        choices = {words or "generated": _figures(some).sides for words, some in _choices(trials).items()}
        real = _figures(trials).sides["real"]
        rows = []
        for name, (unit, label) in MEASURES.items():
            summaries = [*(sides["generated"][name] for sides in choices.values()), real[name]]
            bars = tuple(Bar(one.mean, one.low, one.high) if one else None for one in summaries)
            rows.append(ChartRow(label, unit if unit == "frames" else "", bars))
        heading = "generated continuations beside the real ones"
        charts.append(Chart(heading, (*choices, "real"), tuple(rows), shared=False))
    save(path, draw(title, charts))

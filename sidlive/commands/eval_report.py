"""What `sidlive eval` found, as results, tables and a picture."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidlive.model.judging.continuations import Summary
    from sidlive.model.judging.likelihood import Judged
    from sidlive.report import Result

    Sides = dict[str, dict[str, Summary | None]]  # summaries by measure, under "generated" and "real"


@dataclass
class Generated:
    """Figures of the continuations: summaries of both sides, the critic's figures, and means over the long runs."""

    sides: "Sides" = field(default_factory=dict)  # of the generated and the real continuations
    critic: dict[str, float | None] = field(default_factory=dict)
    long: dict[str, float | None] = field(default_factory=dict)  # means over the long runs
    planned: bool = False  # whether a composer wrote the notes


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


def figures(sides: "Sides") -> "list[Result]":
    """Return the summaries of all measures."""
    from sidlive.model.judging.continuations import MEASURES
    from sidlive.report import Result

    results = []
    for side, measures in sides.items():
        for name, summary in measures.items():
            unit = MEASURES[name][0]
            results.append(Result(f"{side}.{name}", summary.mean if summary else None, unit))
            if summary:
                results += [Result(f"{side}.{name}.{end}", getattr(summary, end), unit) for end in ("low", "high")]
                if unit == "frames":
                    results.append(Result(f"{side}.{name}.longest", summary.most, unit))
    return results


def tunes_text(judged: "Judged", split: str) -> str:
    """Return the number of tunes judged and their split, in words."""
    return f"{len(judged.by_kind)} tunes" if split == "all" else f"{len(judged.by_kind)} {split} tunes"


def print_tables(
    model: str,
    split: str,
    judged: "Judged",
    unheard: "Judged | None",
    notes: dict[str, float],
    generated: Generated,
) -> None:
    """Print the figures as tables."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sidlive.model.judging.continuations import MEASURES
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
    sides = generated.sides
    if not sides:
        return
    table = Table(title="\nGenerated continuations beside the real ones", title_justify="left")
    table.box = None
    for heading in ("", "generated", "95 %", "real", "95 %", ""):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (unit, words) in MEASURES.items():
        cells = []
        for side in ("generated", "real"):
            summary = sides[side][name]
            cells += [f"{summary.mean:.3g}", f"{summary.low:.3g} to {summary.high:.3g}"] if summary else ["none", ""]
        table.add_row(words, *cells, "" if unit in ("share", "1/s") else unit)
    console.print(table)
    for name, value in {
        **generated.critic,
        **{f"{key} (10 min)": figure for key, figure in generated.long.items()},
    }.items():
        console.print(Text(f"{name.replace('_', ' ')}: " + ("unknown" if value is None else f"{value:.3f}")))


def draw_figures(path: Path, title: str, judged: "Judged", sides: "Sides") -> None:
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
    if sides:
        rows = []
        for name, (unit, words) in MEASURES.items():
            summaries = (sides[side][name] for side in ("generated", "real"))
            rows.append(
                ChartRow(
                    words,
                    unit if unit == "frames" else "",
                    tuple(Bar(summary.mean, summary.low, summary.high) if summary else None for summary in summaries),
                )
            )
        heading = "generated continuations beside the real ones"
        charts.append(Chart(heading, ("generated", "real"), tuple(rows), shared=False))
    save(path, draw(title, charts))

"""Figures as a picture, SVG: bars with their intervals, or curves. Knows figures, not where they come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from sidlive.errors import ModelError
from sidlive.writing import expect_place, write_file

WIDTH: Final = 860
LABEL: Final = 250  # where the bars begin
BARS: Final = 400  # how long the longest is
ROW: Final = 19
GAP: Final = 13
INK: Final = "#2b2b3a"
PAPER: Final = "#fbfaf6"
COLOURS: Final = ("#6c5eb5", "#9bc069", "#c98f3c")


@dataclass(frozen=True)
class Bar:
    """A mean and its interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class ChartRow:
    """What is told, in words, and a bar for each of the chart's series (None: no figure)."""

    label: str
    unit: str
    bars: tuple[Bar | None, ...]


@dataclass(frozen=True)
class Chart:
    """Rows under a heading. ``shared``: all bars by one scale; else each row by its own, of another unit each."""

    heading: str
    series: tuple[str, ...]  # their names; a single one is not told
    rows: tuple[ChartRow, ...]
    shared: bool


@dataclass(frozen=True)
class Curve:
    """Points ``(x, y)`` in the order of x, both at least 0, under a name."""

    name: str
    points: tuple[tuple[float, float], ...]


def plot(title: str, across: str, curves: Sequence[Curve]) -> str:
    """At most three curves over ``across``, both axes from 0, as the text of an SVG file."""
    left, top, width, height = 70.0, 100.0, WIDTH - 110.0, 300.0
    points = [point for curve in curves for point in curve.points]
    x_scale = width / max((x for x, _ in points), default=1.0)
    y_scale = height / (1.05 * max((y for _, y in points), default=1.0))
    bottom = top + height
    parts = [_text(24, 40, title, size=19, weight="bold")]
    parts.append(f'<path d="M{left} {top}V{bottom}H{left + width}" stroke="{INK}" fill="none"/>')
    for x in sorted({x for x, _ in points}):
        parts.append(_text(left + x * x_scale, bottom + 20, f"{x:g}", size=12, anchor="middle"))
    parts.append(_text(left + width / 2, bottom + 42, across, anchor="middle"))
    for number, curve in enumerate(curves):
        colour = COLOURS[number]
        parts.append(_rectangle(left + 150 * number, 66, 11, 11, colour))
        parts.append(_text(left + 17 + 150 * number, 76, curve.name))
        places = [(left + x * x_scale, bottom - y * y_scale) for x, y in curve.points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" stroke="{colour}" stroke-width="2.5" fill="none"/>')
        for (x, y), (_, figure) in zip(places, curve.points, strict=True):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
            parts.append(_text(x, y - 9, _figure(figure), size=12, anchor="middle"))
    return _svg(bottom + 60, parts)


def draw(title: str, charts: Sequence[Chart]) -> str:
    """The picture as the text of an SVG file."""
    y = 40.0
    parts = [_text(24, y, title, size=19, weight="bold")]
    for chart in charts:
        y += 42
        parts.append(_text(24, y, chart.heading, size=15, weight="bold"))
        if len(chart.series) > 1:
            y += 22
            for number, name in enumerate(chart.series):
                x = LABEL + 130 * number
                parts.append(_rectangle(x, y - 10, 11, 11, COLOURS[number]))
                parts.append(_text(x + 17, y, name))
        y += 14
        longest = max((bar.high for row in chart.rows for bar in row.bars if bar), default=0.0)
        for row in chart.rows:
            own = longest if chart.shared else max((bar.high for bar in row.bars if bar), default=0.0)
            parts.append(_text(LABEL - 12, y + ROW * len(row.bars) / 2 + 5, row.label, anchor="end"))
            for number, bar in enumerate(row.bars):
                parts += _bar(y + ROW * number, bar, own, row.unit, COLOURS[number])
            y += ROW * len(row.bars) + GAP
    return _svg(y + 14, parts)


def expect_svg(path: Path) -> None:
    """ModelError or DeviceError where a picture has no place there; to be asked before the figures are worked out."""
    if path.suffix.lower() != ".svg":
        raise ModelError(f"{path}: expected a name that ends in .svg")
    expect_place(path)


def save(path: Path, picture: str) -> None:
    """Write the text of a picture; DeviceError where the disk refuses it."""
    write_file(path, picture.encode())


def _svg(bottom: float, parts: Sequence[str]) -> str:
    height = round(bottom)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">'
    return "\n".join([head, _rectangle(0, 0, WIDTH, height, PAPER), *parts, "</svg>\n"])


def _bar(y: float, bar: Bar | None, longest: float, unit: str, colour: str) -> list[str]:
    """One bar, its interval as a line with ends, and its figure in words."""
    if bar is None:
        return [_text(LABEL, y + 14, "none", size=12)]
    scale = BARS / longest if longest > 0 else 0.0
    low, high = LABEL + scale * bar.low, LABEL + scale * bar.high
    middle = y + ROW / 2
    lines = (
        f"M{low:.1f} {middle:.1f}H{high:.1f}"
        f"M{low:.1f} {middle - 4:.1f}v8"
        f"M{high:.1f} {middle - 4:.1f}v8"
    )  # fmt: skip
    figure = _figure(bar.mean) + (f" {unit}" if unit else "")
    return [
        _rectangle(LABEL, y + 2, max(scale * bar.mean, 0.5), ROW - 4, colour),
        f'<path d="{lines}" stroke="{INK}" stroke-width="1.3" fill="none"/>',
        _text(LABEL + BARS + 14, y + 14, f"{figure}  ({_figure(bar.low)} to {_figure(bar.high)})", size=12),
    ]


def _figure(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.3g}"


def _text(x: float, y: float, words: str, size: int = 13, weight: str = "normal", anchor: str = "start") -> str:
    style = f'font-family="sans-serif" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{INK}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'


def _rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'

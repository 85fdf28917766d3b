"""Text on a canvas: every row is exactly as wide as the canvas, with wide and combining characters too."""

import pytest

from sidlive.studio.canvas import Canvas
from sidlive.studio.colours import TEXT


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("[b]a[/b]", "[b]a[/b]    "),
        ("\x1b[31m\u202e", r"\x1b[31m\u20"),
        ("音楽 x", "音楽 x      "),
        ("e\u0301t\u0301", "ét          "),
        ("abcdefghijk音", "abcdefghijk "),
    ],
)
def test_names_from_outside_stay_within_their_cells(text: str, row: str) -> None:
    canvas = Canvas(12, 1)
    canvas.write(0, 0, text, TEXT)
    strip = canvas.strip(0)
    assert strip.text == row
    assert sum(segment.cell_length for segment in strip) == 12


def test_half_of_a_wide_character_that_was_written_over_is_a_space() -> None:
    canvas = Canvas(6, 1)
    canvas.write(0, 0, "音楽音", TEXT)
    canvas.write(0, 1, "x", TEXT)
    canvas.write(0, 4, "y", "#ff0000")
    assert canvas.strip(0).text == " x楽y "

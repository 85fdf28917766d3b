"""The screen in a locale with few characters: replacements fill the same cells and keep the meaning."""

import inspect

import pytest
from rich.cells import cell_len

from sidlive.studio import canvas, gutter, lanes, views
from sidlive.studio.ascii_fallback import AsciiFallback


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "koi8-r"])
def test_every_replacement_has_the_same_width_and_can_be_encoded(encoding: str) -> None:
    signs = "".join(sorted({char for module in (canvas, gutter, lanes, views) for char in inspect.getsource(module)}))
    text = signs.replace("\n", "") + "".join(map(chr, range(0x2500, 0x2600))) + "⠉⣀⣿ 音楽 ©ßü Ж"
    spelled = text.translate(AsciiFallback(encoding))
    assert cell_len(spelled) == cell_len(text)
    spelled.encode(encoding)


def test_letters_of_the_locale_stay() -> None:
    assert "Müller ×2".translate(AsciiFallback("latin-1")) == "Müller ×2"
    assert "Müller".translate(AsciiFallback("ascii")) == "M?ller"


def test_notes_keep_their_height_in_a_cell() -> None:
    assert "⠉ ⣀ ⣿".translate(AsciiFallback("ascii")) == "' . :"

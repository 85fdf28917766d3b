"""The list of song lengths: its lines, its oddities, the round trip to its text, and other texts that are refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidlive.errors import TuneError
from sidlive.tune.formats.songlengths import Songlengths, find, parse_songlengths, read_songlengths

ONE, TWO = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"


def test_every_song_of_a_file_has_its_time() -> None:
    known = parse_songlengths(
        f"[Database]\n; /DEMOS/A/One.sid\n{ONE}=1:02 0:03.5 12:34.567\n; /B/Two.sid\n{TWO}=0:59\n"
    )
    assert [known.of(ONE, song) for song in (1, 2, 3)] == [62.0, 3.5, 754.567]
    assert known.of(TWO, 1) == 59.0 and known.skipped == 0


def test_an_unknown_song_is_none() -> None:
    known = parse_songlengths(f"[Database]\n{ONE}=1:02 0:00\n")
    assert known.of(ONE, 0) is None and known.of(ONE, 3) is None and known.of(TWO, 1) is None
    assert known.of(ONE, 2) is None, "a song of no length is no song"


def test_line_ends_marks_and_capitals_do_not_matter() -> None:
    known = parse_songlengths(f"\ufeff[Database]\r\n; /One.sid\r\n{ONE.upper()} = 1:02(G)  0:03(M) \r\n\r\n")
    assert known.of(ONE.upper(), 1) == 62.0 and known.of(ONE, 2) == 3.0 and known.skipped == 0


thousandths = st.lists(st.integers(0, 10**7), min_size=1, max_size=5).map(lambda ms: tuple(n / 1000 for n in ms))


@given(st.dictionaries(st.text("0123456789abcdef", min_size=32, max_size=32), thousandths, min_size=1, max_size=5))
def test_a_list_that_was_written_is_read_again_the_same(seconds: dict[str, tuple[float, ...]]) -> None:
    written = Songlengths(seconds, 0).to_text()
    known = parse_songlengths(written)
    assert known.skipped == 0 and known.seconds == {md5: pytest.approx(times) for md5, times in seconds.items()}
    assert known.to_text() == written


def test_broken_lines_are_skipped_and_counted() -> None:
    broken = [f"{ONE}=", f"{ONE}=1:99", f"{ONE[:31]}=1:00", f"{ONE}=1:00 x", "rubbish", "=1:00"]
    known = parse_songlengths("\n".join(["[Database]", *broken, f"{TWO}=0:10"]))
    assert known.skipped == len(broken) and list(known.seconds) == [TWO]


@pytest.mark.parametrize("text", ["", "[Database]\n", f"{ONE}=1:00\n", "[Database]\nhello\n", "\x00\x01\xff"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(TuneError, match=r"my list is not a list of song lengths; expected \[Database\]"):
        parse_songlengths(text, "my list")


def test_a_list_lies_in_the_folder_or_its_documents(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    (tmp_path / "DOCUMENTS").mkdir()
    inner = tmp_path / "DOCUMENTS" / "Songlengths.md5"
    inner.write_bytes(f"[Database]\r\n; caf\xe9\r\n{ONE}=0:07.25\r\n".encode("latin-1"))
    assert find(tmp_path) == inner and read_songlengths(inner).of(ONE, 1) == 7.25
    outer = tmp_path / "Songlengths.md5"
    outer.write_text(f"[Database]\n{ONE}=0:08\n")
    assert find(tmp_path) == outer


def test_a_list_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TuneError, match=r"none\.md5: no such file"):
        read_songlengths(tmp_path / "none.md5")
    with pytest.raises(TuneError, match="cannot be read"):
        read_songlengths(tmp_path)

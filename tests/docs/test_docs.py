"""The reference pages: each topic has a page, the table of verbs follows the code, and the code in pages runs."""

import re
from pathlib import Path

import numpy as np
import pytest

import sidlive.docs
from sidlive.cli import COMMANDS, main
from sidlive.docs import TOPICS, read, topics
from sidlive.docs.__main__ import updated
from sidlive.errors import ControlError
from sidlive.model.judging.continuations import MEASURES
from sidlive.studio.actions import ACTIONS

FOLDER = Path(sidlive.docs.__file__).parent
README = FOLDER.parent.parent / "README.md"


@pytest.fixture
def readme() -> str:
    if not README.exists():
        pytest.skip("not a checkout")
    return README.read_text(encoding="utf-8")


def test_every_page_is_a_topic_and_has_a_title() -> None:
    assert sorted(TOPICS) == sorted(page.stem for page in FOLDER.glob("*.md"))
    assert list(topics()) == list(TOPICS)
    assert all(read(topic).startswith("# ") for topic in TOPICS)
    assert all(title and not title.startswith("#") for title in topics().values())


def test_an_unknown_topic_names_the_nearest() -> None:
    with pytest.raises(ControlError, match="no topic 'format': did you mean formats"):
        read("format")
    with pytest.raises(ControlError, match="expected one of verbs, scripts"):
        read("zzz")


def test_the_tables_of_verbs_and_controls_are_up_to_date() -> None:
    assert updated(read("verbs")) == read("verbs"), "run python -m sidlive.docs"


def test_every_key_of_the_studio_is_listed() -> None:
    listed = {key for line in re.findall(r"^\| (.*?) \|", read("midi"), re.MULTILINE) for key in line.split(", ")}
    keys = {action.key.replace("ctrl+", "ctrl-") for action in ACTIONS}
    assert keys == {key.lower() for key in listed} - {"key", "---"}


def test_every_measure_of_eval_is_explained() -> None:
    assert set(MEASURES) <= set(re.findall(r"`(\w+)`", read("eval")))


def test_pages_refer_to_topics_that_exist() -> None:
    for topic in TOPICS:
        named = re.findall(r"`sidlive docs (\w+)`", read(topic))
        assert not set(named) - set(TOPICS), topic


def test_the_command_lists_topics_and_prints_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(TOPICS)
    assert main(["docs", "formats"]) == 0
    assert capsys.readouterr().out == read("formats")
    assert main(["docs", "fromats"]) == 2
    assert capsys.readouterr().err == "sidlive: there is no topic 'fromats': did you mean formats?\n"


def test_the_readme_lists_every_command(readme: str) -> None:
    listed = set(re.findall(r"^\| `sidlive (\w[\w-]*)", readme, re.MULTILINE))
    assert listed == set(COMMANDS)


def test_the_readmes_tree_has_every_package(readme: str) -> None:
    package = FOLDER.parent
    wanted = {file.parent.relative_to(package).as_posix() for file in package.rglob("__init__.py")} - {"."}
    listed, path = set(), list[str]()
    for indent, name in re.findall(r"^ {6}( *)(\w+)/ ", readme, re.MULTILINE):
        path[len(indent) // 2 :] = [name]
        listed.add("/".join(path))
    assert listed == wanted


@pytest.mark.parametrize("page", [README, FOLDER / "library.md"], ids=lambda page: page.name)
def test_the_code_in_pages_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not page.exists():
        pytest.skip("not a checkout")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    exec("".join(blocks), names)
    frames = names["frames"]
    assert isinstance(frames, np.ndarray) and frames.shape[1:] == (28,)

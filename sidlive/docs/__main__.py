"""Write the table in ``verbs.md`` anew: ``python -m sidlive.docs``. A test holds the file to what this would write."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sidlive.docs import read
from sidlive.live.session import VERBS, Session

HEAD = "| verb | what it does |\n| --- | --- |\n"


def signature(verb: Callable[..., Any]) -> str:
    """Return a method's call as a user types it: ``load(path, song=None)``, without types."""
    parameters = list(inspect.signature(verb).parameters.values())[1:]
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    return f"{verb.__name__}{inspect.Signature(bare)}"


def table() -> str:
    """Return the table of all verbs as Markdown: signature, and the first line of the docstring."""
    rows = []
    for name in VERBS:
        verb = getattr(Session, name)
        words = (inspect.getdoc(verb) or "").partition("\n")[0].replace("``", "`").replace("|", "\\|")
        rows.append(f"| `{signature(verb)}` | {words} |\n")
    return HEAD + "".join(rows)


def updated(page: str) -> str:
    """Return the text of ``verbs.md`` with its table written anew."""
    before, found, rest = page.partition(HEAD)
    assert found, "verbs.md has lost the head of its table"
    _, gap, after = rest.partition("\n\n")
    return before + table() + gap[1:] + after


if __name__ == "__main__":
    path = Path(__file__).with_name("verbs.md")
    path.write_text(updated(read("verbs")), encoding="utf-8")
    print(f"{path}: {len(VERBS)} verbs")

"""Write the table in ``verbs.md`` anew: ``python -m sidlive.docs``. A test holds the file to what this would write."""

import inspect
from pathlib import Path

from sidlive.docs import read
from sidlive.live.session import VERBS
from sidlive.live.verbs.declaration import Verb

HEAD = "| verb | what it does |\n| --- | --- |\n"


def call(verb: Verb) -> str:
    """Return a verb's call as a user types it: ``load(path, song=None)``, without types."""
    parameters = verb.signature.parameters.values()
    return f"{verb.name}{inspect.Signature([one.replace(annotation=inspect.Parameter.empty) for one in parameters])}"


def table() -> str:
    """Return the table of all verbs as Markdown: the call, and the first line of the help."""
    rows = []
    for verb in VERBS.values():
        summary = verb.help.partition("\n")[0].replace("``", "`").replace("|", "\\|")
        rows.append(f"| `{call(verb)}` | {summary} |\n")
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

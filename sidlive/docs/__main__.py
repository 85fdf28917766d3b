"""Write the tables in ``verbs.md`` from the declarations: ``python -m sidlive.docs``. A test holds the file to them."""

import inspect
from pathlib import Path

from sidlive.docs import read
from sidlive.live.controls import CONTROLS, Control
from sidlive.live.session import VERBS
from sidlive.live.verbs.declaration import Verb

VERBS_HEAD = "| verb | what it does |\n| --- | --- |\n"
CONTROLS_HEAD = "| control | values | default | what it does |\n| --- | --- | --- | --- |\n"


def verb_row(verb: Verb) -> str:
    """Return a verb's row: its call without types, and the first line of its help."""
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in verb.signature.parameters.values()]
    summary = verb.help.partition("\n")[0].replace("``", "`").replace("|", "\\|")
    return f"| `{verb.name}{inspect.Signature(bare)}` | {summary} |\n"


def control_row(control: Control) -> str:
    """Return a control's row: its name, range, default and help."""
    values = control.range if control.text is None else "text"
    return f"| `{control.name}` | {values} | {control.default} | {control.help} |\n"


def updated(page: str) -> str:
    """Return the text of ``verbs.md`` with both tables written anew."""
    rows = {VERBS_HEAD: map(verb_row, VERBS.values()), CONTROLS_HEAD: map(control_row, CONTROLS.values())}
    for head, table in rows.items():
        before, found, rest = page.partition(head)
        assert found, f"verbs.md has lost the head of a table: {head}"
        _, _, after = rest.partition("\n\n")
        page = before + head + "".join(table) + "\n" + after
    return page


if __name__ == "__main__":
    path = Path(__file__).with_name("verbs.md")
    path.write_text(updated(read("verbs")), encoding="utf-8")
    print(f"{path}: {len(VERBS)} verbs, {len(CONTROLS)} controls")

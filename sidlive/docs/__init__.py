"""The reference pages that `sidlive docs` and the studio's help show: one Markdown file for each topic.

The loader is this module: `topics` and `read`. ``python -m sidlive.docs`` writes the tables in ``verbs.md`` from
the declarations of verbs and controls (`sidlive.docs.__main__`). Loading a page imports nothing of the instrument.
"""

from difflib import get_close_matches
from importlib.resources import files
from typing import Final

from sidlive.errors import ControlError

# The topics in reading order. Each is the file TOPIC.md beside this module.
TOPICS: Final = (
    "verbs", "scripts", "takes", "midi", "maps", "osc", "chips", "formats", "c64", "corpus", "training", "eval",
    "library", "architecture", "figures",
)  # fmt: skip


def topics() -> dict[str, str]:
    """Return the title of each topic, by topic name, in reading order."""
    return {topic: read(topic).partition("\n")[0].removeprefix("# ") for topic in TOPICS}


def read(topic: str) -> str:
    """Return the Markdown text of a topic; its first line is ``# TITLE``.

    Raises ControlError, which names the nearest topic, if there is no such topic.
    """
    if topic not in TOPICS:
        near = get_close_matches(topic.lower(), TOPICS, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(TOPICS)}"
        raise ControlError(f"there is no topic {topic!r}: {hint}")
    return (files(__package__) / f"{topic}.md").read_text(encoding="utf-8")

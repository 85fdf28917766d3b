"""What commands print with ``--json``, as a dictionary."""

import json
from typing import Any


def results(text: str, *others: str) -> dict[str, Any]:
    """Return the values by name from the one JSON object in a text; ``others`` are further keys that it must have."""
    printed = json.loads(text)
    assert set(printed) == {"results", "machine", *others}
    return {result["name"]: result["value"] for result in printed["results"]} | {key: printed[key] for key in others}

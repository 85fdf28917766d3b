"""How chips that play beside the emulator are shown."""

from sidlive.live.state import OutputState, State
from sidlive.studio.colours import BAD, GOOD, MUTED, TEXT, WARN

_LOST = ("gone", "failed")


def chip_text(chip: OutputState, listening: str) -> tuple[str, str]:
    """Return how a chip is, and its colour: "asid:synth", "asid:synth gone", "u64:host voices 3 muted"."""
    voices = "" if chip.voices == "123" else f" voices {chip.voices}"
    if chip.status != "open":
        return f"{chip.name}{voices} {chip.status}", BAD if chip.status in _LOST else WARN
    if listening == "emulator":
        return f"{chip.name}{voices} muted", MUTED
    return f"{chip.name}{voices}", TEXT


def chips_text(state: State, wide: bool) -> tuple[str, str]:
    """Return how all chips are in short, and the colour: "chip", "2 chips", "chip gone", "chip only"."""
    count = len(state.outputs)
    name = "chip" if count == 1 else f"{count} chips"
    statuses = [chip.status for chip in state.outputs]
    worst = next((status for status in (*_LOST, "opening") if status in statuses), "")
    if worst:
        return f"{name} {worst}", BAD if worst in _LOST else WARN
    heard = {"chip": " only", "emulator": " muted"}.get(state.listening, "") if wide else ""
    return name + heard, MUTED if state.listening == "emulator" else GOOD

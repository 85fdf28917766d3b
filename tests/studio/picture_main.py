"""Make the picture of the studio that README shows: `PYTHONPATH=. python tests/studio/picture_main.py OUT.svg`.

The picture is of a real session on the shipped model: a core of its own, a fragment that comes with sidlive as the
prompt, some seconds of music. Its take goes to a folder that is removed afterwards.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import open_room
from sidlive.live.session import Session, verbs
from sidlive.studio.app import Studio
from sidlive.studio.console.names import ConsoleSession

SIZE = (120, 38)
PERFORMANCE = (  # seconds before each line, and the line
    (0, 'riff = load("circuit"); riff'),
    (1, "prompt(riff); start()"),
    (8, "temperature(1.1)"),
    (2, "lock(3, riff)"),
    (2, 'scale("prompt")'),
    (3, "transpose(3)"),
)


async def perform(studio: Studio, out: Path) -> None:
    """Play the performance on a screen in memory and save its picture."""
    async with studio.run_test(size=SIZE) as pilot:
        while not studio.now.model:
            await pilot.pause(0.2)
        for wait_s, line in PERFORMANCE:
            await pilot.pause(wait_s)
            studio.console_view.run(line)
        await pilot.pause(1.4)
        studio.save_screenshot(str(out))


def main(out: Path) -> None:
    """Make the picture."""
    with tempfile.TemporaryDirectory() as takes:
        session = Session(open_room(RoomOptions(takes=Path(takes))), Path(takes))
        try:
            asyncio.run(perform(Studio(session, verbs(session), extra={"session": ConsoleSession(session)}), out))
        finally:
            session.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

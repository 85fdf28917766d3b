"""The verbs that bring fragments to the core, and the base of all groups of verbs: the link and the loaded fragments.

Reading a tune runs it on an emulated C64, which would disturb the music: it is done here, on the caller's side.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sidlive.errors import ControlError
from sidlive.live.controls import unknown_fragment
from sidlive.live.link import Link, commands
from sidlive.live.places import typed_path
from sidlive.live.verbs.declaration import verb
from sidlive.live.verbs.timing import Timing
from sidlive.tune import shipped
from sidlive.tune.formats.kinds import MUSIC, holds_frames

if TYPE_CHECKING:
    from sidlive.tune.fragment import Fragment


class FragmentVerbs:
    """The verbs for fragments. Any thread may call any verb."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._core = link.core
        self._timing = Timing(link.core)
        self._command = commands(self._timing)
        self._fragments: dict[str, Fragment] = {}  # the loaded fragments, by name

    @verb("caller", bindable=True, names="music")
    def load(
        self,
        path: str | Path,
        song: int | None = None,
        start: float = 0.0,
        seconds: float | None = None,
        name: str | None = None,
    ) -> "Fragment":
        """Read a tune, a file of frames, or a fragment that came with sidlive; its name is `name`, or the file's.

        The fragment is `seconds` long and begins `start` seconds into the music. Default: 10 s of a tune, all frames
        of a file of frames.
        """
        from sidlive.tune.loading import load_fragment

        if not isinstance(path, str | Path):
            raise ControlError(f"load expects a path or the name of a fragment, found {shown(path)}")
        file = shipped.locate(typed_path(path))
        if holds_frames(file):
            return self.add(load_fragment(file, song, start, seconds, name))

        from sidlive.chip.c64.driver import run_machine
        from sidlive.compiling import compiling

        with compiling(run_machine, self._report_compiling):
            return self.add(load_fragment(file, song, start, seconds, name))

    @verb("caller")
    def add(self, fragment: "Fragment") -> "Fragment":
        """Add a fragment made by code (with `sidlive.tune.edits`, or from arrays) to the loaded fragments."""
        from sidlive.tune.fragment import Fragment

        if not isinstance(fragment, Fragment):
            raise ControlError(f"add expects a fragment, as load() gives, found {shown(fragment)}")
        self._command.add(fragment)
        self._fragments[fragment.name] = fragment
        return fragment

    @verb("caller")
    def fragments(self) -> dict[str, "Fragment"]:
        """Return the available fragments by name: the loaded ones, and those that came with sidlive."""
        from sidlive.tune.loading import load_fragment

        not_loaded = (name for name in shipped.names() if name not in self._fragments)
        return self._fragments | {name: load_fragment(name) for name in not_loaded}

    def _name_of(self, fragment: "Fragment | str | Path") -> str:
        """Return a fragment's name; a path is loaded, a fragment made by code is added first. Raises ControlError."""
        from sidlive.tune.fragment import Fragment

        if isinstance(fragment, Path):
            fragment = str(fragment)
        if isinstance(fragment, Fragment):
            if self._fragments.get(fragment.name) is not fragment:
                self.add(fragment)
            return fragment.name
        if not isinstance(fragment, str):
            raise ControlError(f"expected a fragment, its name or the path of a tune, found {shown(fragment)}")
        if fragment in self._fragments:
            return fragment
        if Path(fragment).suffix.lower() in MUSIC or fragment in shipped.names():
            return self.load(fragment).name
        raise unknown_fragment(fragment, list(self._fragments))

    def _report_compiling(self, done: int, total: int) -> None:
        """Show a notice, once, why the first tune takes a while to load."""
        if not done:
            self._core.tell("compiling the C64 emulator, once on this machine: about 20 s", "info")


def shown(found: object) -> str:
    """Return a value as an error message shows it, on one line: a short value itself, else its type."""
    text = repr(found)
    return text if len(text) <= 40 and "\n" not in text else type(found).__name__

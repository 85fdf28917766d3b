"""The command line: ``sidlive`` opens the studio, ``sidlive COMMAND`` does one thing.

Each command is the module of its name in ``sidlive.commands``: ``register(subparsers)`` adds its parser and
``run(arguments)`` does the work and returns the exit status. Heavy imports belong inside ``run``. Only the modules of
the commands that are needed are imported, so that the studio opens soon.
"""

import argparse
import importlib
import io
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from sidlive import __version__
from sidlive.commands import studio
from sidlive.errors import SidliveError

# The modules of `sidlive.commands`, in the order in which --help lists them: one command each.
COMMANDS = (
    "run", "play", "render", "info", "fragments", "capture", "generate", "take", "send", "replay", "compile", "corpus",
    "train", "train-composer", "train-taste", "train-styles", "eval", "export", "bench", "doctor", "docs",
)  # fmt: skip


class OneLineErrorParser(argparse.ArgumentParser):
    """An argument parser that prints an error as one line, and suggests the nearest known word for a mistyped one."""

    def error(self, message: str) -> NoReturn:
        from sidlive.report import plain

        for kind, words in (("int", "a whole number"), ("float", "a number")):
            message = message.replace(f"invalid {kind} value: ", f"expected {words}, found ")
        self.exit(2, f"{self.prog}: {plain(message.removeprefix('argument '))}; {self.prog} --help lists all options\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = [str(choice) for choice in action.choices or ()]
        if choices and str(value) not in choices:
            from difflib import get_close_matches

            meant = get_close_matches(str(value), choices, 1)
            hint = f"did you mean {meant[0]}?" if meant else f"expected one of {', '.join(choices)}"
            raise argparse.ArgumentError(action, f"no {value!r}: {hint}")


class Version(argparse.Action):
    """The action of ``--version``: print the versions of sidlive and Python and the digest of the model.

    A take can be repeated exactly on the same kind of processor if all three are the same.
    """

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        import platform

        from sidlive.live.processes.options import RoomOptions, model_digests

        options = RoomOptions()
        try:
            model = f"model {options.model} {model_digests(options)[0][:12]}"
        except (SidliveError, OSError):
            model = f"no model {options.model}"
        print(f"sidlive {__version__}, Python {platform.python_version()}, {model}")
        parser.exit()


def parser(commands: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """Return the parser of the command line with some of its commands; without any it knows the studio's options only.

    The parser without commands has no ``--help``, which would have to list them.
    """
    top = OneLineErrorParser(
        prog="sidlive",
        description="A live-coding instrument for the terminal: a model continues SID tunes, and you steer it. Without "
        "a command the studio opens.",
        epilog=_epilog() if commands == COMMANDS else None,
        add_help=bool(commands),
    )
    top.add_argument("--version", action=Version, nargs=0, help="print the versions of sidlive, Python and the model")
    studio.register(top)
    if commands:
        subparsers = top.add_subparsers(title="commands", metavar="COMMAND")
        for command in commands:
            importlib.import_module(f"sidlive.commands.{command.replace('-', '_')}").register(subparsers)
    return top


def _epilog() -> str:
    """Return the end of the help."""
    from sidlive.tune.shipped import names

    return (
        "Fragments that come with sidlive, known by name wherever a file of music is expected: "
        f"{', '.join(names())}. sidlive docs is the reference."
    )


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line.

    The arguments that ``sidlive run`` passes to its script may stand before or after the options, and everything after
    ``--`` is passed to the script too.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in COMMANDS:
        top = parser(words[:1])
    else:
        arguments, more = parser(()).parse_known_args(words)
        if not more:
            return arguments
        top = parser()
    scripted = words[:1] == ["run"]
    end = words.index("--") if scripted and "--" in words else len(words)
    arguments, more = top.parse_known_args(words[:end])
    if more and (not scripted or any(word.startswith("-") for word in more)):
        top.error(f"unrecognized arguments: {' '.join(more)}")
    if scripted:
        arguments.args += more + words[end + 1 :]
    return arguments


def _escape_unprintable_characters() -> None:
    """Let stdout and stderr print escapes for characters that the locale's encoding lacks, as in a title."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, 1 (a check failed), 2 (an error, printed) or 130 (Ctrl-C)."""
    _escape_unprintable_characters()
    arguments = _parse(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except SidliveError as error:
        _warn(error)
        return 2
    except MemoryError:
        _warn("not enough memory for that; try fewer frames, or close other programs")
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:  # a file or folder that no command expected to fail
        _warn(f"{error.filename or 'the disk'}: {error.strerror or error}; choose another name or place")
        return 2
    except KeyboardInterrupt:
        return 130


def _warn(text: object) -> None:
    from sidlive.report import warn

    warn(text)

"""``sidlive send``: have an Ultimate 64 or Ultimate II+ play a take or a tune."""

import argparse
from pathlib import Path

from sidlive.commands.arguments import add_json_option, add_label_options, add_song_option, label_from


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``send`` to the command line."""
    send = subparsers.add_parser(
        "send",
        help="have an Ultimate play a take or a tune",
        description="Send a take, or a .sid file as it is, to an Ultimate 64 or Ultimate II+ in the network, which "
        "plays it. A network password is read from the environment variable SIDLIVE_ULTIMATE_PASSWORD.",
    )
    send.add_argument("take", type=Path, metavar="TAKE|TUNE.sid", help="folder of a take, or a .sid file")
    send.add_argument("--to", required=True, metavar="u64:HOST", help="the Ultimate's name or address in the network")
    send.add_argument("--raw", action="store_true", help="leave out the edits that were made during the performance")
    add_song_option(send)
    add_label_options(send, "the take's name", "sidlive")
    add_json_option(send)
    send.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Send the tune. Raises ControlError, TuneError and DeviceError."""
    from sidlive.errors import ControlError
    from sidlive.live.outputs.chip_choice import parse_chip
    from sidlive.live.outputs.ultimate import Ultimate
    from sidlive.report import Result, emit

    choice = parse_chip(args.to)
    if choice.kind != "u64":
        raise ControlError(f"send --to expects u64:HOST, found {args.to!r}; sidlive play {args.take} --out {args.to}")
    api = Ultimate(choice.target)
    try:
        api.version()  # before the take is compiled
        data = _tune(args.take) if args.take.suffix.lower() == ".sid" else _compiled(args)
        api.play(data, args.song)
    finally:
        api.close()
    results = [Result("sent", str(args.take)), Result("to", choice.target), Result("bytes", len(data))]
    emit(results, args.json, args.take.name)


def _tune(path: Path) -> bytes:
    """Return a .sid file as it is. Raises TuneError if it is none."""
    from sidlive.errors import TuneError
    from sidlive.tune.formats.psid import parse

    try:
        data = path.read_bytes()
    except OSError as error:
        raise TuneError(f"{path} cannot be read ({error.strerror}): expected a .sid file") from None
    try:
        parse(data)
    except TuneError as error:
        raise TuneError(f"{path}: {error}") from None
    return data


def _compiled(args: argparse.Namespace) -> bytes:
    """Return the .sid file of a take, with its edits. Raises TuneError."""
    import tempfile

    from sidlive.commands.take_files import write_take_file
    from sidlive.errors import TuneError
    from sidlive.live.takes.take import read_take
    from sidlive.tune.cutting import apply

    log = read_take(args.take)
    if not len(log.frames):
        raise TuneError(f"{args.take} holds no frames: expected a take's folder, or a .sid file")
    cut = apply(log.cut(), [] if args.raw else log.edits)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{args.take.name}.sid"
        write_take_file(path, cut, log.chip, log.timing, label_from(args, path.stem, "sidlive"))
        return path.read_bytes()

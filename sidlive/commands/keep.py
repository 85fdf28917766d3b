"""``sidlive compile``: frames to a .sid file for a Commodore 64, proven before it is kept."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidlive.chip.registers import VideoTiming


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", top: argparse.ArgumentParser) -> None:
    """Add this group's commands."""
    keep = subparsers.add_parser("compile", help="make a .sid file of frames, and prove that it plays them")
    keep.add_argument("frames", type=Path, metavar="FRAMES.npz|.sidgpt|.dmp|NAME")
    keep.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.sid")
    keep.add_argument("--name", help="title (default: the frames' own, or the output file's name)")
    keep.add_argument("--author", help="default: the frames' own")
    keep.add_argument("--released", help="year and publisher (default: the frames' own)")
    keep.add_argument("--chip", choices=("6581", "8580"), help="default: the frames' own, or 6581")
    keep.add_argument("--load", type=_address, default=0x1000, metavar="ADDRESS", help="a page (default $1000)")
    keep.add_argument(
        "--loop",
        type=int,
        nargs="?",
        const=0,
        metavar="FRAME",
        help="when it has ended, go on at FRAME (the first when none is given) instead of falling silent",
    )
    keep.add_argument("--json", action="store_true", help="one JSON object on stdout")
    keep.set_defaults(run=_compile)


def _address(text: str) -> int:
    """4096, 0x1000 or $1000."""
    try:
        return int(text[1:], 16) if text.startswith("$") else int(text, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected an address like $1000 or 0x1000, found {text!r}") from None


def _compile(args: argparse.Namespace) -> None:
    import warnings
    from time import perf_counter

    from sidlive.report import Result, emit
    from sidlive.tune import psid
    from sidlive.tune.compile import Label, TuneWarning, compile_sid, verify, write_file
    from sidlive.tune.files import read_frames
    from sidlive.tune.fragment import video_frames
    from sidlive.tune.shipped import locate

    rows, own_hz, meta = read_frames(locate(args.frames))
    timing = _timing(own_hz, meta.get("timing"))
    frames, rate_hz = video_frames(rows, own_hz, timing)
    if frames is not rows:
        print(
            f"sidlive: {args.frames} has {own_hz:g} frames a second; resampled to the video frame, {rate_hz:.3f},"
            " at which a .sid plays",
            file=sys.stderr,
        )
    label = Label(
        name=args.name or meta.get("title") or args.output.stem,
        author=args.author if args.author is not None else meta.get("author", ""),
        released=args.released if args.released is not None else meta.get("released", ""),
    )
    chip = args.chip or ("8580" if meta.get("chip") == "8580" else "6581")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", TuneWarning)
        begin = perf_counter()
        sid = compile_sid(frames, label, chip, timing, args.load, args.loop)
        elapsed_s = perf_counter() - begin
    for warning in said:
        print(f"sidlive: {warning.message}", file=sys.stderr)
    verify(sid, frames)
    write_file(args.output, sid)
    tune = psid.parse(sid)
    results = [
        Result("bytes", len(sid), "bytes"),
        Result("frames", len(frames), "frames"),
        Result("seconds", round(len(frames) / timing.rate_hz, 2), "s"),
        Result("load", f"${tune.load:04X}-${tune.end - 1:04X}"),
        Result("ends", "in silence" if args.loop is None else f"goes on at frame {args.loop}"),
        Result("chip", tune.chip),
        Result("timing", timing.name),
        Result("verified", True),
        Result("compile_s", round(elapsed_s, 3), "s"),
    ]
    emit(results, args.json, args.output.name)


def _timing(rate_hz: float, name: str | None) -> "VideoTiming":
    """The video standard whose frames these are or are to be: by their rate, else the file's own, or PAL."""
    from sidlive.chip.registers import NTSC, PAL
    from sidlive.tune.fragment import RATE_TOLERANCE

    for timing in (PAL, NTSC):
        if abs(rate_hz / timing.rate_hz - 1) <= RATE_TOLERANCE:
            return timing
    return NTSC if name == NTSC.name else PAL

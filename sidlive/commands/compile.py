"""``sidlive compile``: compile frames to a .sid file, verified before it is written, and to related files."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sidlive.commands.arguments import add_json_option, add_label_options, add_video_option, label_from

if TYPE_CHECKING:
    from sidlive.chip.registers import VideoTiming
    from sidlive.report import Result
    from sidlive.tune.compiler.block import MemoryBlock, SongFrames
    from sidlive.tune.compiler.sid_file import Label


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``compile`` to the command line."""
    command = subparsers.add_parser(
        "compile",
        help="compile frames to a .sid file, and verify it",
        description="Compile frames to a .sid file with a 6510 player. It is run in a 6510 and compared frame by frame "
        "before it is written. Several files of frames become its songs.",
    )
    command.add_argument(
        "frames",
        type=Path,
        nargs="+",
        metavar="FRAMES.npz|.sidgpt|.dmp|NAME",
        help="frames, or the name of a fragment that comes with sidlive",
    )
    command.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.sid", help="file to write")
    add_label_options(
        command, "that of the frames, or the output file's name", "that of the frames", "that of the frames"
    )
    command.add_argument(
        "--chip", choices=("6581", "8580"), help="model of the SID (default: that of the frames, or 6581)"
    )
    add_video_option(command, "that of the frames")
    command.add_argument(
        "--load",
        type=_address,
        default=0x1000,
        metavar="ADDRESS",
        help="load address, the start of a page (default: $1000)",
    )
    command.add_argument(
        "--loop",
        type=_loop,
        nargs="?",
        const=(None, 0),
        action="append",
        metavar="[SONG:]FRAME",
        help="at its end a song goes on at FRAME (default: the first frame); with none as FRAME it ends in silence. "
        "Without SONG: all songs. Without --loop: as the file of frames says, else silence",
    )
    command.add_argument("--start-song", type=int, default=1, metavar="N", help="start song (default: 1)")
    command.add_argument("--max-kb", type=float, metavar="N", help="largest size of the .sid file, in KiB")
    command.add_argument(
        "--coarse-pulse",
        type=int,
        metavar="BITS",
        help="keep a pulse width until it is wrong by 2 to the power of BITS (1 to 8) or more: a slightly smaller "
        "file; the change of the sound is reported",
    )
    command.add_argument(
        "--prg", action="store_true", help="also write OUT.prg, a program that a Commodore 64 loads and runs"
    )
    command.add_argument("--asm", action="store_true", help="also write OUT.asm, a 64tass source of player and data")
    command.add_argument(
        "--wav", action="store_true", help="also write the sound: OUT.wav, or OUT-1.wav and so on for several songs"
    )
    command.add_argument("--flac", action="store_true", help="also write the sound as .flac")
    add_json_option(command)
    command.set_defaults(run=run)


def _address(text: str) -> int:
    """Return the address that 4096, 0x1000 or $1000 means. Raises ArgumentTypeError."""
    try:
        return int(text[1:], 16) if text.startswith("$") else int(text, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected an address like $1000 or 0x1000, found {text!r}") from None


def _loop(text: str) -> tuple[int | None, int | None]:
    """Return song and loop frame of ``SONG:FRAME`` or ``FRAME``. Song None: all songs. Frame None ("none"): no loop.

    Raises ArgumentTypeError.
    """
    song, colon, frame = text.rpartition(":")
    try:
        return int(song) if colon else None, None if frame == "none" else int(frame)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a frame like 400, a song and a frame like 2:400, or none; found {text!r}"
        ) from None


def run(args: argparse.Namespace) -> None:
    """Write the .sid file and the files beside it. Raises TuneError and ControlError."""
    from time import perf_counter

    from sidlive.errors import ControlError, TuneError
    from sidlive.report import Result, emit, spinner, warn
    from sidlive.tune.compiler.block import RINGS
    from sidlive.tune.compiler.sid_file import sid_of, verify
    from sidlive.tune.formats import psid
    from sidlive.writing import expect_place, write_file

    if args.output.suffix.lower() != ".sid":
        raise TuneError(f"{args.output}: expected a name that ends in .sid")
    expect_place(args.output)
    songs, timing, meta = _songs(args)
    if not 1 <= args.start_song <= len(songs):
        raise ControlError(f"--start-song {args.start_song}: there are songs 1 to {len(songs)}")
    texts = meta.get("title") or args.output.stem, meta.get("author", ""), meta.get("released", "")
    about, chip = label_from(args, *texts), args.chip or ("8580" if meta.get("chip") == "8580" else "6581")
    results: list[Result] = []
    frames = sum(len(song.frames) for song in songs)
    with spinner(stderr=True) as report_progress:
        report_progress(f"packing {frames:,} frames")
        if args.coarse_pulse is not None:
            songs = _with_coarse_pulse(songs, args.coarse_pulse, chip, timing, results)
        begin = perf_counter()
        block = _pack(songs, args, timing)
        elapsed_s = perf_counter() - begin
        for note in about.notes():
            warn(note)
        report_progress("verifying: running the .sid file in a 6510")
        sid = sid_of(block, about, chip, timing, args.start_song)
        verify(sid, *(song.proof for song in songs))
        related = _related_files(args, songs, block, about, chip, timing)
        write_file(args.output, sid)
        for path, data in related:
            write_file(path, data)
        report_progress("writing the sound")
        written = [args.output.name, *(path.name for path, _ in related), *_sounds(args, songs, chip, timing)]
    tune = psid.parse(sid)
    ends = ["in silence" if song.loop_frame is None else f"goes on at frame {song.loop_frame}" for song in songs]
    results = [
        Result("bytes", len(sid), "bytes"),
        Result("songs", len(songs)),
        Result("frames", frames, "frames"),
        Result("seconds", round(sum(len(song.frames) / song.speed for song in songs) / timing.rate_hz, 2), "s"),
        Result("load", f"${tune.load:04X}-${tune.end - 1:04X}"),
        Result("memory", f"${block.load:04X}-${block.rings + RINGS - 1:04X}"),
        Result("ends", "; ".join(ends)),
        Result("calls", _calls(block)),
        Result("chip", tune.chip),
        Result("timing", timing.name),
        *results,
        Result("verified", True),
        Result("compile_s", round(elapsed_s, 3), "s"),
        Result("files", ", ".join(written)),
    ]
    emit(results, args.json, args.output.name)


def _calls(block: "MemoryBlock") -> str:
    """Return in words what calls play."""
    if not block.cycles:
        return "each video frame"
    return "CIA 1 timer A, each " + "; ".join(f"{count:,} cycles" for count in block.cycles)


def _songs(args: argparse.Namespace) -> "tuple[list[SongFrames], VideoTiming, dict[str, str]]":
    """Return the songs with their loops, the video standard and the texts of the first file of frames."""
    from sidlive.chip.registers import timing_named
    from sidlive.errors import ControlError
    from sidlive.report import warn
    from sidlive.tune.capture.write_order import ORDERS, control_first_from_meta
    from sidlive.tune.compiler.block import SongFrames
    from sidlive.tune.formats.files import read_frames
    from sidlive.tune.fragment import speed_from_meta, standard_of, video_frames
    from sidlive.tune.shipped import locate

    loops: dict[int | None, int | None] = dict(args.loop or [])
    for number in loops:
        if number is not None and not 1 <= number <= len(args.frames):
            raise ControlError(f"--loop {number}:{loops[number]}: there are songs 1 to {len(args.frames)}")
    songs: list[SongFrames] = []
    timing: VideoTiming | None = None
    about: dict[str, str] = {}
    for number, path in enumerate(args.frames, 1):
        rows, own_hz, meta = read_frames(locate(path))
        if timing is None:
            timing, about = timing_named(args.video) if args.video else standard_of(meta, own_hz), meta
        own, speed = standard_of(meta, own_hz), speed_from_meta(meta)
        own_hz /= speed
        if args.video and own is not timing:
            warn(f"{path} was made for {own.name}, this is {timing.name}: {own.heard_at(timing)}")
            own_hz *= timing.rate_hz / own.rate_hz
        frames, rate_hz = video_frames(rows, own_hz, timing)
        if frames is not rows:
            warn(
                f"{path} has {own_hz:g} frames a second; resampled to the video frame, {rate_hz:.3f},"
                " at which a .sid plays"
            )
        marked = meta.get("loop_frame", "") if frames is rows else ""
        loop = int(marked) if marked.isdecimal() else None
        songs.append(SongFrames(frames, loops.get(number, loops.get(None, loop)), control_first_from_meta(meta), speed))
        if songs[-1].control_first != songs[0].control_first:
            order = ORDERS[songs[0].control_first]
            warn(f"{path} writes in another order than {args.frames[0]}: {order} here")
    assert timing is not None
    return songs, timing, about


def _with_coarse_pulse(
    songs: "list[SongFrames]", bits: int, chip: str, timing: "VideoTiming", results: "list[Result]"
) -> "list[SongFrames]":
    """Return the songs, with coarser pulse widths where this saves bytes; append the change in dB to ``results``."""
    from dataclasses import replace

    from sidlive.errors import ControlError
    from sidlive.report import Result, warn
    from sidlive.tune.compiler.block import pack_song
    from sidlive.tune.compiler.coarse import FEWEST, MOST, coarse_pulse, cost_db

    if not FEWEST <= bits <= MOST:
        raise ControlError(f"--coarse-pulse expects {FEWEST} to {MOST} bits, found {bits}")
    coarser = []
    for number, song in enumerate(songs, 1):
        which = "" if len(songs) == 1 else f" of song {number}"
        edited = replace(song, frames=coarse_pulse(song.frames, bits))
        if len(pack_song(edited)) < len(pack_song(song)):
            cost = cost_db(song, edited.frames, timing.rate_hz, chip, timing)
            results.append(Result(f"coarse_pulse.cost{which and f'.{number}'}", round(cost, 2), "dB"))
            coarser.append(edited)
        else:
            warn(f"coarser pulse widths{which} would save no bytes; they stay as they are")
            coarser.append(song)
    return coarser


def _pack(songs: "list[SongFrames]", args: argparse.Namespace, timing: "VideoTiming") -> "MemoryBlock":
    """Return the songs and player as a block of memory. Raises TuneError with remedies if they do not fit."""
    from dataclasses import replace

    from sidlive.errors import ControlError, TuneError
    from sidlive.tune.compiler.block import LOAD, TooLong, pack_song, player
    from sidlive.tune.compiler.coarse import MOST, coarse_pulse
    from sidlive.tune.compiler.sid_file import HEADER, block_of

    most = None
    if args.max_kb is not None:
        least = (HEADER + len(player()[0])) / 1024
        if not least < args.max_kb < float("inf"):
            raise ControlError(f"--max-kb {args.max_kb:g}: the player alone takes {least:.1f}; expected more")
        most = int(args.max_kb * 1024) - HEADER - len(player()[0])
    try:
        return block_of(songs, timing, args.load, most)
    except TooLong as error:
        offers = []
        if args.coarse_pulse is None and error.needed:
            coarser = [replace(song, frames=coarse_pulse(song.frames, MOST)) for song in songs]
            if sum(len(pack_song(song)) for song in coarser) <= error.most:
                offers.append(f"--coarse-pulse {MOST} makes it fit")
        if args.load > LOAD and args.max_kb is None:
            offers.append(f"--load ${LOAD:04X} leaves more room")
        if len(songs) > 1:
            offers.append("or give fewer songs")
        raise TuneError("; ".join([str(error), *offers])) from None


def _related_files(
    args: argparse.Namespace,
    songs: "list[SongFrames]",
    block: "MemoryBlock",
    about: "Label",
    chip: str,
    timing: "VideoTiming",
) -> list[tuple[Path, bytes]]:
    """Return path and bytes of each file that ``--prg`` and ``--asm`` ask for; the program is verified."""
    from sidlive.errors import TuneError
    from sidlive.report import warn
    from sidlive.tune.compiler.block import build, free_bytes
    from sidlive.tune.compiler.listing import listing_of
    from sidlive.tune.compiler.program import PROGRAM_LOAD, program_of, verify_program

    files = []
    if args.prg:
        path = args.output.with_suffix(".prg")
        if sum(map(len, block.songs)) > free_bytes(PROGRAM_LOAD):
            raise TuneError(f"{path.name}: the songs are too long for a program, which begins at ${PROGRAM_LOAD:04X}")
        program = program_of(build(block.songs, PROGRAM_LOAD), about, chip, timing)
        verify_program(program, songs[0].frames, path.name)
        files.append((path, program))
        if block.cycles:
            warn(f"{path.name} plays a frame each video frame; only the .sid keeps the tempo of its frames")
    if args.asm:
        files.append((args.output.with_suffix(".asm"), listing_of(block, about).encode()))
    return files


def _sounds(args: argparse.Namespace, songs: "list[SongFrames]", chip: str, timing: "VideoTiming") -> list[str]:
    """Write the files that ``--wav`` and ``--flac`` ask for; return their names."""
    from sidlive.chip.flac import write_flac
    from sidlive.chip.sid import render
    from sidlive.chip.wav import WavFile

    written = []
    for number, song in enumerate(songs, 1):
        if not (args.wav or args.flac):
            break
        sound = render(song.frames, timing.rate_hz * song.speed, chip, timing, control_first=song.control_first)
        stem = args.output.stem if len(songs) == 1 else f"{args.output.stem}-{number}"
        if args.wav:
            with WavFile(args.output.with_name(f"{stem}.wav")) as file:
                file.write(sound)
            written.append(f"{stem}.wav")
        if args.flac:
            write_flac(args.output.with_name(f"{stem}.flac"), sound)
            written.append(f"{stem}.flac")
    return written

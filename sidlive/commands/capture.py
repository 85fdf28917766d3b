"""``sidlive capture``: run a tune and write its frames to a file, or convert a file of frames."""

import argparse
from pathlib import Path

from sidlive.commands.arguments import add_json_option, add_music_argument, add_song_option
from sidlive.commands.info import oddity_results

CAPTURE_FRAMES = 1500  # default length of a capture: 30 s


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``capture`` to the command line."""
    capture = subparsers.add_parser(
        "capture", help="run a tune and write its registers to a file, frame by frame; or convert frames"
    )
    add_music_argument(capture, "tune")
    capture.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FRAMES.npz|.sidgpt|.dmp",
        help="file to write; its ending decides the format",
    )
    add_song_option(capture)
    capture.add_argument(
        "--frames", type=int, metavar="T", help=f"number of frames (default: {CAPTURE_FRAMES} of a tune, all of frames)"
    )
    capture.add_argument(
        "--video", action="store_true", help="resample to one frame for each video frame (.sidgpt and .dmp always are)"
    )
    add_json_option(capture)
    capture.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the file and report what is in it. Raises TuneError."""
    from time import perf_counter

    from sidlive.chip.registers import NTSC, PAL
    from sidlive.errors import TuneError
    from sidlive.report import Result, emit
    from sidlive.tune.capture import write_order
    from sidlive.tune.formats import files, streams
    from sidlive.tune.formats.kinds import holds_frames
    from sidlive.tune.fragment import onsets, video_frames, why_silent
    from sidlive.tune.shipped import locate
    from sidlive.writing import expect_place

    path = locate(args.tune)
    expect_place(files.check_frames_name(args.output))
    if args.frames is not None and not 1 <= args.frames <= streams.MOST_FRAMES:
        raise TuneError(f"--frames expects 1 to {streams.MOST_FRAMES:,}, found {args.frames}")
    song, sids, oddities, elapsed_s = args.song, 1, tuple[str, ...](), 0.0
    if holds_frames(path):
        frames, rate_hz, meta = files.read_frames(path, args.song)
        frames = frames[: args.frames]
        meta = {"chip": "6581", "timing": PAL.name, "source": path.name} | meta
    else:
        count = args.frames or CAPTURE_FRAMES
        recorder = files.open_song(path, args.song)
        try:
            recorder.record(1)  # load the compiled kernels before the time is measured
            begin = perf_counter()
            recorder = files.open_song(path, args.song)
            recorder.record(count)
            recorded = recorder.finish()
            elapsed_s = perf_counter() - begin
        except TuneError as error:
            raise TuneError(f"{path}: {error}") from None
        tune, song, sids = recorder.tune, recorder.song, recorder.tune.sids
        frames, rate_hz = recorded.frames, recorded.rate_hz
        oddities = recorded.notes
        meta = {"title": tune.name, "author": tune.author, "released": tune.released, "chip": tune.chip}
        meta |= {"timing": tune.timing.name, "song": str(song), "source": path.name}
        meta |= write_order.control_first_to_meta(write_order.writes_control_first(tune, song))
    seconds, own_hz = len(frames) / rate_hz, rate_hz
    is_stream = args.output.suffix.lower() != ".npz"
    if args.video or is_stream:
        frames, rate_hz = video_frames(frames, rate_hz, NTSC if meta["timing"] == NTSC.name else PAL)
        if rate_hz != own_hz:
            meta.pop("speed", None)  # the rows were played at another rate, now they are video frames
    files.write_frames(args.output, frames, rate_hz, **meta)
    results = [
        Result("frames", len(frames), "frames"),
        Result("rate_hz", round(rate_hz, 4), "Hz"),
        Result("seconds", round(seconds, 2), "s"),
        Result("song", song),
        Result("chip", meta["chip"]),
        Result("timing", meta["timing"]),
        Result("writes", write_order.ORDERS[write_order.control_first_from_meta(meta)]),
    ]
    if sids > 1:
        results.append(Result("sids", f"{sids}; only the first is captured"))
    results += oddity_results(oddities)
    if why := why_silent(frames):
        results.append(Result("silent", why))
    if own_hz != rate_hz:
        results.append(Result("resampled_from_hz", round(own_hz, 4), "Hz"))
    if is_stream:
        results.append(Result("retriggers_lost", int((onsets(frames) - onsets(streams.plain(frames))).sum())))
    if elapsed_s:
        results.append(Result("realtime_x.capture", round(seconds / elapsed_s, 1), "x"))
    emit(results, args.json, args.output.name)

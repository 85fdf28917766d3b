"""Commands about takes: what one holds, one edited, one made again from its log."""

import argparse
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sidlive.commands import label

if TYPE_CHECKING:
    from sidlive.chip.registers import VideoTiming
    from sidlive.live.take import TakeLog
    from sidlive.tune.compiler.sid_file import Label
    from sidlive.tune.cutting import Cut, Edit

KINDS: Final = (".sid", ".npz", ".wav", ".flac")
_AUTO: Final = "auto"
_TOLD: Final = 40  # events


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", top: argparse.ArgumentParser) -> None:
    """Add this group's commands."""
    take = subparsers.add_parser(
        "take",
        help="tell what a take holds, or write it edited",
        description="Tell what a take holds; with -o write it, edited. Positions are seconds, or like 2050f (frames)"
        " and 8b (bars); below 0 from the end. Edits are made in the order of the options below.",
    )
    take.add_argument("takes", nargs="+", metavar="TAKE", help="a take's folder; more, or MUSIC, are spliced on")
    take.add_argument("--raw", action="store_true", help="without the edits that its performer left")
    take.add_argument(
        "--splice", action="append", default=[], metavar="AT", help="where the next TAKE comes in (default: at the end)"
    )
    take.add_argument("--trim", metavar="FROM:TO", help="only that, 3.2:41 or 8b:24b or 5: or :-2")
    take.add_argument("--silence", metavar="VOICES", help="voices that are silent all through, 3 or 1,3")
    take.add_argument(
        "--loop", nargs="?", const=_AUTO, metavar="AT", help="when it has ended go on at AT, or at the best place"
    )
    take.add_argument("--fade", metavar="LENGTH", help="let the volume fall to nothing at the end")
    take.add_argument("-o", "--output", type=Path, metavar="OUT", help=f"write it, {', '.join(KINDS)}")
    label.add(take, "the output file's name", "sidlive")
    take.add_argument("--json", action="store_true", help="one JSON object on stdout, all events in it")
    take.set_defaults(run=_take)

    again = subparsers.add_parser("replay", help="make a take's frames again from its log, and compare")
    again.add_argument("take", type=Path, metavar="TAKE", help="a take's folder, or the .jsonl beside a committed file")
    again.add_argument("--model", help="another model than the log says")
    again.add_argument("-o", "--output", type=Path, metavar="OUT", help=f"write it as edited, {', '.join(KINDS)}")
    again.add_argument("--json", action="store_true", help="one JSON object on stdout")
    again.set_defaults(run=_replay)


def _take(args: argparse.Namespace) -> None:
    from sidlive.errors import ControlError, TuneError
    from sidlive.live.take import read_take, take_fragment
    from sidlive.report import Result, emit, plain
    from sidlive.tune.cutting import Edit, apply

    _check_name(args.output)
    first, *others = args.takes
    if len(args.splice) > len(others):
        raise ControlError(f"--splice says where a further take comes in: found {len(args.splice)} for {len(others)}")
    log = read_take(Path(first))
    if not len(log.frames):
        raise TuneError(f"{first} holds no frames: expected a take's folder; sidlive replay makes them from a log")
    edits = [] if args.raw else log.edits
    for number, other in enumerate(others):
        edits.append(Edit("splice", (take_fragment(other), args.splice[number] if number < len(args.splice) else None)))
    edits += _asked(args)
    cut = apply(log.cut(), edits)
    results = [
        Result("take", first),
        Result("played", round(len(log.frames) / log.timing.rate_hz, 2), "s"),
        Result("frames", len(log.frames), "frames"),
        Result("chip", log.chip),
        Result("timing", log.timing.name),
        Result("model", str(log.model.get("model", "unknown"))),
        Result("fragments", ", ".join(log.fragments()) or "none"),
        Result("events", len(log.events)),
        Result("edits", ", ".join(map(str, edits)) or "none"),
        Result("seconds", round(cut.seconds, 2), "s"),
        Result("ends", "at its end" if cut.loop_frame is None else f"goes on at {cut.loop_frame / cut.rate_hz:.2f} s"),
        *(Result("found", finding) for finding in cut.findings),
    ]
    events = [_event(entry, log.timing.rate_hz) for entry in log.events]
    if args.output:
        _write(args.output, cut, log.chip, log.timing, label.of(args, args.output.stem, "sidlive"))
        results.append(Result("wrote", str(args.output)))
    emit(results, args.json, Path(first).name, events=events)
    if not (args.json or args.output):
        for line in events[:_TOLD] + [f"... {len(events) - _TOLD} more (--json)"] * (len(events) > _TOLD):
            print(plain(line))


def _asked(args: argparse.Namespace) -> "list[Edit]":
    """The edits that the options ask for."""
    from sidlive.live.controls import parse_voices
    from sidlive.tune.cutting import Edit

    edits = []
    if args.trim is not None:
        start, colon, stop = args.trim.partition(":")
        edits.append(Edit("trim", (start or 0, (stop or None) if colon else None)))
    if args.silence is not None:
        edits.append(Edit("silence", tuple(voice + 1 for voice in sorted(parse_voices(args.silence)))))
    if args.loop is not None:
        edits.append(Edit("loop", (None if args.loop == _AUTO else args.loop,)))
    if args.fade is not None:
        edits.append(Edit("fade", (args.fade,)))
    return edits


def _event(entry: dict[str, Any], rate_hz: float) -> str:
    """One event for people; of fragments the names."""

    def told(value: Any) -> str:
        if isinstance(value, dict) and "verb" in value:
            return f"{value['verb']}({', '.join(map(told, value.get('arguments', [])))})"
        if isinstance(value, list):
            return f"[{', '.join(map(told, value))}]"
        return str(value.get("name")) if isinstance(value, dict) else repr(value)

    arguments = entry.get("arguments", [])
    shown = ", ".join(map(told, arguments[:1] if entry["verb"] == "commit" else arguments))
    return f"{entry['frame'] / rate_hz:9.2f} s  {entry['verb']}({shown})"


def _replay(args: argparse.Namespace) -> int:
    from dataclasses import replace
    from time import perf_counter

    from sidlive.errors import ModelError
    from sidlive.live.options import RoomOptions, make_engine, model_digest
    from sidlive.live.replay import difference, replay
    from sidlive.live.take import read_take
    from sidlive.report import Result, bar_of_progress, emit, warn
    from sidlive.tune.compiler.sid_file import Label
    from sidlive.tune.cutting import apply

    _check_name(args.output)
    log = read_take(args.take)
    options = RoomOptions(model=args.model or str(log.model.get("model", "")))
    if not options.model:
        raise ModelError(f"{args.take} does not say which model played: name one with --model")
    with bar_of_progress() as bar:
        task = bar.add_task("loading the model", total=len(log.frames) or None)
        engine = make_engine(options, lambda what: bar.update(task, description=what))
        bar.update(task, description="playing again")
        begin = perf_counter()
        made = replay(log, engine, lambda count: bar.update(task, completed=count))
        took_s = perf_counter() - begin
    differs, commits = difference(made, log.frames), _commits(log, made)
    compared = min(len(made), len(log.frames))
    seconds = len(made) / log.timing.rate_hz
    results = [
        Result("take", str(args.take)),
        Result("frames", len(made), "frames"),
        Result("seconds", round(seconds, 2), "s"),
        *([Result("same", differs is None)] if compared else []),
        *(Result(f"commit.{name}", same) for name, same in commits),
        Result("realtime_x.replay", round(seconds / max(took_s, 1e-9), 2), "x"),
    ]
    emit(results, args.json, args.take.name)
    other_model = model_digest(options) != log.model.get("digest")
    if differs:
        frame, how = differs
        why = f"the log was made with {log.model.get('model')} of other weights" if other_model else _elsewhere(log)
        warn(f"frame {frame} ({frame / log.timing.rate_hz:.2f} s) differs: {how}; {why}")
    elif compared < len(log.frames):
        warn(f"the log ends before the take: {len(log.frames)} frames were played")
    elif not len(log.frames) and not commits:
        warn("there are no frames beside the log to compare with")
    if args.output:
        events = [event for event in log.events if event["verb"] == "commit"]
        last = events[-1] if events and not len(log.frames) else None
        usual = Label(args.output.stem, "sidlive")
        if last is not None:
            _write(args.output, _committed(log, made, last), log.chip, log.timing, _committed_label(last, usual))
        else:
            _write(args.output, apply(replace(log, frames=made).cut(), log.edits), log.chip, log.timing, usual)
    return int(differs is not None or not all(same for _, same in commits))


def _elsewhere(log: "TakeLog") -> str:
    """What may make the same model say something else."""
    from sidlive import __version__
    from sidlive.report import machine

    then, now = dict(log.header.get("machine", {})), machine()
    for what in ("processor", "system", "python"):
        if what in then and then[what] != now[what]:
            return f"it was made on another {what}, {then[what]}, and numbers may be rounded otherwise here"
    return f"it was made by sidlive {log.header.get('sidlive')}, this is {__version__}"


def _committed(log: "TakeLog", made: Any, event: dict[str, Any]) -> "Cut":
    """What a commit of the log made of the frames."""
    from dataclasses import replace

    from sidlive.tune.cutting import apply, edits_from

    _, count, entries, *_ = event["arguments"]
    before = replace(log, entries=log.entries[: log.entries.index(event)], frames=made[: int(count)])
    return apply(before.cut(), edits_from(entries))


def _committed_label(event: dict[str, Any], usual: "Label") -> "Label":
    """What the committed file said about itself; ``usual`` in a log that does not say."""
    from sidlive.tune.compiler.sid_file import label_of

    told = event["arguments"][4] if len(event["arguments"]) > 4 else {}
    return label_of(told.get("title"), told.get("author"), told.get("release"), *astuple(usual))


def _commits(log: "TakeLog", made: Any) -> list[tuple[str, bool]]:
    """The commits of the log whose frames were made again: the name, and whether they are the same."""
    import hashlib

    events = [event for event in log.events if event["verb"] == "commit" and event["arguments"][1] <= len(made)]
    digests = [hashlib.sha256(_committed(log, made, event).frames.tobytes()).hexdigest() for event in events]
    return [
        (str(event["arguments"][0]), digest == event["arguments"][3])
        for event, digest in zip(events, digests, strict=True)
    ]


def _check_name(path: Path | None) -> None:
    from sidlive.errors import TuneError
    from sidlive.writing import expect_place

    if path is None:
        return
    if path.suffix.lower() not in KINDS:
        raise TuneError(f"{path}: expected a name that ends in {', '.join(KINDS)}")
    expect_place(path)


def _write(path: Path, cut: "Cut", chip: str, timing: "VideoTiming", about: "Label") -> None:
    """A take as what the path's name asks for, with a word of it meanwhile."""
    from sidlive.report import spinner

    with spinner(stderr=True) as doing:
        doing(f"writing {cut.seconds:.0f} s to {path.name}")
        _write_as(path, cut, chip, timing, about)


def _write_as(path: Path, cut: "Cut", chip: str, timing: "VideoTiming", about: "Label") -> None:
    """A take as what the path's name asks for. The sound of one that loops goes round once more."""
    import numpy as np

    if path.suffix.lower() == ".sid":
        from sidlive.live.commit import write_take
        from sidlive.report import warn

        for note in write_take(path, cut, chip, timing, about):
            warn(note)
    elif path.suffix.lower() in (".wav", ".flac"):
        from sidlive.chip.flac import write_flac
        from sidlive.chip.sid import render
        from sidlive.chip.wav import WavFile

        again = cut.frames[:0] if cut.loop_frame is None else cut.frames[cut.loop_frame :]
        rows = np.concatenate([cut.frames, again])
        sound = render(rows, cut.rate_hz, chip, timing, control_first=cut.control_first)
        if path.suffix.lower() == ".flac":
            write_flac(path, sound)
        else:
            with WavFile(path) as file:
                file.write(sound)
    else:
        from sidlive.tune.capture.write_order import control_first_to_meta
        from sidlive.tune.files import write_frames

        loop = {} if cut.loop_frame is None else {"loop_frame": str(cut.loop_frame)}
        beat = {} if cut.beat_frames is None else {"beat_frames": str(cut.beat_frames)}
        texts = {"title": about.title, "author": about.author, "released": about.release}
        meta = {"chip": chip, "timing": timing.name, **texts, **control_first_to_meta(cut.control_first)}
        write_frames(path, cut.frames, cut.rate_hz, **meta, **loop, **beat)

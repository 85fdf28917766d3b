"""``sidlive replay``: generate a take's frames again from its log, and compare them."""

import argparse
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidlive.commands.arguments import add_json_option
from sidlive.commands.take_files import KINDS, expect_take_name, write_take_file

if TYPE_CHECKING:
    from sidlive.live.takes.take import TakeLog
    from sidlive.tune.compiler.sid_file import Label
    from sidlive.tune.cutting import Cut


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``replay`` to the command line."""
    command = subparsers.add_parser("replay", help="generate a take's frames again from its log, and compare")
    command.add_argument(
        "take", type=Path, metavar="TAKE", help="folder of a take, or the .jsonl beside a committed file"
    )
    command.add_argument("--model", help="a preset or a .safetensors file (default: the model that the log names)")
    command.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help=f"file to write the edited take to: {', '.join(KINDS)}"
    )
    add_json_option(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Replay the log; returns 1 if a frame or a commit differs. Raises ModelError and TuneError."""
    from dataclasses import replace
    from time import perf_counter

    from sidlive.errors import ModelError
    from sidlive.live.processes.options import RoomOptions, make_composer, make_engine, model_digests
    from sidlive.live.takes.replay import difference, replay
    from sidlive.live.takes.take import read_take
    from sidlive.report import Result, emit, progress_bar, warn
    from sidlive.tune.compiler.sid_file import Label
    from sidlive.tune.cutting import apply

    expect_take_name(args.output)
    log = read_take(args.take)
    _expect_arithmetic(log)
    options = RoomOptions(model=args.model or str(log.model.get("model", "")))
    if not options.model:
        raise ModelError(f"{args.take} does not say which model played: expected a model; name one with --model")
    wrote_notes = bool(log.model.get("composer"))
    with progress_bar() as bar:
        task = bar.add_task("loading the model", total=len(log.frames) or None)
        engine = make_engine(options, lambda what: bar.update(task, description=what))
        composer = make_composer(options, lambda what: bar.update(task, description=what)) if wrote_notes else None
        bar.update(task, description="replaying")
        begin = perf_counter()
        replayed = replay(log, engine, lambda count: bar.update(task, completed=count), composer)
        took_s = perf_counter() - begin
    differs, commits = difference(replayed, log.frames), _commits(log, replayed)
    compared = min(len(replayed), len(log.frames))
    seconds = log.seconds_at(len(replayed))
    results = [
        Result("take", str(args.take)),
        Result("frames", len(replayed), "frames"),
        Result("seconds", round(seconds, 2), "s"),
        *([Result("same", differs is None)] if compared else []),
        *(Result(f"commit.{name}", same) for name, same in commits),
        Result("realtime_x.replay", round(seconds / max(took_s, 1e-9), 2), "x"),
    ]
    emit(results, args.json, args.take.name)
    model, composer_file, *beside = model_digests(options)
    other_model = model != log.model.get("digest") or (wrote_notes and composer_file != log.model.get("composer"))
    known = [log.model.get(name) for name in ("taste", "styles")]
    other_model |= any(then and then != now for then, now in zip(known, beside, strict=True))
    if differs:
        frame, difference_text = differs
        why = f"the log was made with other weights of {log.model.get('model')}" if other_model else _other_machine(log)
        warn(f"frame {frame} ({log.seconds_at(frame):.2f} s) differs: {difference_text}; {why}")
    elif compared < len(log.frames):
        warn(f"the log ends before the take: {len(log.frames)} frames were played")
    elif not len(log.frames) and not commits:
        warn("there are no frames beside the log to compare with")
    if args.output:
        events = [event for event in log.events if event["verb"] == "commit"]
        last = events[-1] if events and not len(log.frames) else None
        usual = Label(args.output.stem, "sidlive")
        if last is not None:
            write_take_file(
                args.output, _committed(log, replayed, last), log.chip, log.timing, _committed_label(last, usual)
            )
        else:
            write_take_file(
                args.output, apply(replace(log, frames=replayed).cut(), log.edits), log.chip, log.timing, usual
            )
    return int(differs is not None or not all(same for _, same in commits))


def _expect_arithmetic(log: "TakeLog") -> None:
    """Raise TuneError if the engine that made the log computed in another way than this one."""
    from sidlive.errors import TuneError
    from sidlive.model.engine import ARITHMETIC

    then = log.header.get("arithmetic", 1)
    if then != ARITHMETIC:
        raise TuneError(
            f"the log was made by the engine of sidlive {log.header.get('sidlive')} with arithmetic {then}; "
            f"this one has arithmetic {ARITHMETIC} and generates other frames: replay it with the one that made it. "
            "The take's frames and the files committed from it are as good as ever"
        )


def _other_machine(log: "TakeLog") -> str:
    """Return the likely reason why the same model generated other frames here."""
    from sidlive import __version__
    from sidlive.report import machine

    then, now = dict(log.header.get("machine", {})), machine()
    for part in ("processor", "system", "python"):
        if part in then and then[part] != now[part]:
            return f"the log was made on another {part}, {then[part]}, which may round numbers differently"
    return f"the log was made by sidlive {log.header.get('sidlive')}, this is {__version__}"


def _committed(log: "TakeLog", replayed: Any, event: dict[str, Any]) -> "Cut":
    """Return the edited take that a commit wrote. ``replayed``: ``uint8[T, 28]``; ``event``: its entry in the log."""
    from dataclasses import replace

    from sidlive.tune.cutting import apply, edits_from

    _, count, entries, *_ = event["arguments"]
    before = replace(log, entries=log.entries[: log.entries.index(event)], frames=replayed[: int(count)])
    return apply(before.cut(), edits_from(entries))


def _committed_label(event: dict[str, Any], usual: "Label") -> "Label":
    """Return title, author and release of the committed file; those of ``usual`` if the log does not have them."""
    from sidlive.tune.compiler.sid_file import label_of

    label = event["arguments"][4] if len(event["arguments"]) > 4 else {}
    return label_of(label.get("title"), label.get("author"), label.get("release"), *astuple(usual))


def _commits(log: "TakeLog", replayed: Any) -> list[tuple[str, bool]]:
    """Return, for each commit whose frames were all replayed, its name and whether its frames are the same."""
    import hashlib

    events = [event for event in log.events if event["verb"] == "commit" and event["arguments"][1] <= len(replayed)]
    digests = [hashlib.sha256(_committed(log, replayed, event).frames.tobytes()).hexdigest() for event in events]
    return [
        (str(event["arguments"][0]), digest == event["arguments"][3])
        for event, digest in zip(events, digests, strict=True)
    ]

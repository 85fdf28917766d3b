"""Measure how soon a key of a MIDI keyboard is heard: from the message to the first sample that the device takes.

A room plays a fragment whose other voices are muted, so that a voice on the keyboard is heard alone. This process is
the keyboard: it sends notes through a real JACK server, at times that are exact to the sample, while a recording keeps
every sample that the device takes, with its time.
"""

import functools
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from sidlive.bench.live import Recording
from sidlive.chip import registers as sid
from sidlive.chip.registers import PAL, silence
from sidlive.errors import DeviceError
from sidlive.live.hands.jack import JackClient
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import open_room
from sidlive.live.session import Session
from sidlive.report import Result
from sidlive.tune.beat import Beat
from sidlive.tune.fragment import Fragment

KEYBOARD: Final = "bench keyboard"
KEY_S: Final = 0.4  # from one key to the next, on average
DOWN_S: Final = 0.12  # that a key is down
VOICE: Final = 2
AUDIBLE: Final = 2500  # of 32,768: a note is louder, the shift of level after its end is not
_SOON_S: Final = 0.35  # a note is heard within this time, or not at all
_AHEAD_S: Final = 0.05  # time for which messages are handed over
_LOOK_S: Final = 3.0  # time for the room to find the keyboard
NOTE_ON, NOTE_OFF, CONTROL_CHANGE, ALL_NOTES_OFF = 0x90, 0x80, 0xB0, 123


def keys(
    options: RoomOptions, seconds: float, report_progress: Callable[[str], object] = lambda doing: None
) -> list[Result]:
    """Play a voice on a keyboard for so long, on the JACK server that runs; return how soon its notes are heard."""
    with tempfile.TemporaryDirectory() as folder:
        options = replace(options, midi=KEYBOARD, stamp=functools.partial(Recording, Path(folder)), name="hands-keys")
        keyboard = JackClient(KEYBOARD)
        try:
            pressed = _played(options, seconds, keyboard, report_progress)
        finally:
            keyboard.close()
        samples = np.fromfile(Path(folder) / "samples", dtype=np.int16)
        stamps = np.fromfile(Path(folder) / "stamps", dtype=np.float64).reshape(-1, 2)
    heard = [found for at_s in pressed if (found := heard_ms(at_s, samples, stamps)) is not None]
    if not heard:
        raise DeviceError("no key was heard: does the room hear JACK? sidlive doctor says")
    return [
        *(
            Result(f"key_heard_ms.{name}", round(float(np.percentile(heard, share)), 1), "ms")
            for name, share in (("p50", 50), ("p99", 99), ("max", 100))
        ),
        Result("keys_heard", len(heard) / len(pressed), f"share of {len(pressed)} keys that are heard"),
    ]


def _played(
    options: RoomOptions, seconds: float, keyboard: JackClient, report_progress: Callable[[str], object]
) -> list[float]:
    """Play keys in a room; return the times at which they were pressed, of `time.monotonic`."""
    port, chance = keyboard.add_output("keys"), random.Random(2)
    link = open_room(options)
    session = Session(link, options.takes)
    try:
        link.ready(report_progress)
        session.add(lone_voices())
        session.prompt("lone")
        session.mute(*(voice for voice in (1, 2, 3) if voice != VOICE))
        session.keys(VOICE)
        session.start()
        session.wait(_LOOK_S)
        report_progress(f"playing keys for {seconds:.0f} s")
        pressed = []
        offset_s = time.perf_counter() - time.monotonic()
        end_s = time.perf_counter() + seconds
        while (at_s := time.perf_counter() + _AHEAD_S) < end_s:
            note = chance.randrange(48, 72)
            port.send(at_s, bytes([NOTE_ON, note, 100]))
            for last in (bytes([NOTE_OFF, note, 0]), bytes([CONTROL_CHANGE, ALL_NOTES_OFF, 0])):
                port.send(at_s + DOWN_S, last)  # twice, since a busy JACK server loses messages
            pressed.append(at_s - offset_s)
            time.sleep(KEY_S * chance.uniform(0.8, 1.2))
        session.wait(1.0)
        return pressed
    finally:
        session.close()


def heard_ms(at_s: float, samples: np.ndarray, stamps: np.ndarray) -> float | None:
    """Return the time from a key to its first loud sample; None if there is none soon, or it was loud before."""
    first = int(np.searchsorted(stamps[:, 0], at_s))
    last = int(np.searchsorted(stamps[:, 0], at_s + _SOON_S))
    if first == 0 or last >= len(stamps):
        return None
    begin, end = int(stamps[first - 1, 1]), int(stamps[last, 1])
    loud = np.flatnonzero(np.abs(samples[begin:end].astype(np.int32)) > AUDIBLE)
    if not len(loud):
        return None
    block = int(np.searchsorted(stamps[:, 1], begin + loud[0], side="right")) - 1
    if stamps[block, 0] < at_s:  # the note before still sounds
        return None
    return 1000 * (float(stamps[block, 0]) - at_s)


def lone_voices() -> Fragment:
    """Return music of three voices with quick attacks and releases, so that a note begins and ends at once."""
    rows = silence(192)
    for voice in range(sid.VOICES):
        for t in range(len(rows)):
            gate = sid.GATE if t % 12 < 6 else 0
            rows[t, sid.register_of(voice, sid.FREQ_HI)] = 16 + 4 * voice + t // 12 % 4
            rows[t, sid.register_of(voice, sid.CONTROL)] = sid.PULSE | gate
            rows[t, sid.first_control_of(voice)] = sid.PULSE | gate
        rows[:, sid.register_of(voice, sid.PW_HI)] = 8
        rows[:, sid.register_of(voice, sid.SR)] = 0xF0
    rows[:, sid.MODE_VOL] = 0x0F
    return Fragment(
        name="lone", frames=rows, rate_hz=PAL.rate_hz, source="made here", chip="6581", timing="PAL", beat=Beat(12.0)
    )

"""Measure how fast the engine generates on one core with its context full: ``sidlive bench engine``.

Rates are in processor time of the thread that generates; the fastest of several runs counts, because other programs can
only make a run slower. 99th percentiles and start-up times are in wall-clock time. Presets that do not ship are
measured with random weights. These are the worst case: they generate nearly all 28 tokens of a frame, trained weights
about 20.

The name of a figure that depends on the instruction set ends with its name, as in ``realtime_x.pocket.avx2``. Beside
them stand the limits of the machine in the same run: products of bytes a second with a matrix that fits a core's own
cache, and bytes a second from memory. ``share_of_limit`` is the time a frame would take at the limit, as a share of
the time that it takes. The limit of the time level's weights is the speed of a product with one matrix as large as all
of them (``weights_gb_per_s``), because no core reads 5 or 19 million bytes as fast as what its own cache holds.

``stage4`` and ``large4`` are the presets with 4-bit numbers in the time level's blocks.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from sidlive.chip.registers import CONTROL, FIRST_CONTROL, MODE_VOL, PAL, VOICES, Frames, register_of, silence
from sidlive.compiling import kernel
from sidlive.instructions import in_use
from sidlive.model import tokens as tk
from sidlive.model.composer import Composer, NoteSampling, warm_up_composer
from sidlive.model.composer.shape import COMPOSERS
from sidlive.model.config import PRESETS
from sidlive.model.engine import Engine, Sampling
from sidlive.model.engine.blocks import Cache, Steps, normalise, run_blocks
from sidlive.model.engine.engine import warm_up
from sidlive.model.engine.multiplying import GroupedMatrices, TiledMatrices, multiply
from sidlive.model.engine.packing import quantised
from sidlive.model.engine.products import TILE, aligned
from sidlive.model.matrices import GROUP
from sidlive.model.weights import (
    ASSETS,
    COMPOSER,
    EngineWeights,
    load_composer_weights,
    load_weights,
    random_weights,
)
from sidlive.report import Result

CONTEXT: Final = 1024  # frames
ROUND: Final = 100  # frames per run
EVERY: Final = ("pocket", "stage", "stage4", "large", "large4")  # networks to measure, see `weights_of`
LANES: Final = 4  # futures generated together
CACHED, UNCACHED = 1 << 18, 1 << 27  # bytes of weights that fit a core's own cache, and that fit none
PRODUCTS: Final = 1 << 26  # products of bytes in a measurement of a limit: the call itself must not count
SAMPLING: Final = Sampling(temperature=1.0, top_p=0.98, seed=1)
NOTES: Final = NoteSampling(temperature=1.0, top_p=0.98, seed=1)
START: Final = """
import json, time
from sidlive.bench import engine as bench
from sidlive.model.engine import Engine
started = Engine(bench.weights_of({name!r})[0])
started.step(bench.SAMPLING)
print(json.dumps([time.time(), bench.resident_mb()]))
"""
FLAT_TOKENS: Final = 26  # tokens per frame of a flat transformer: every register byte and a separator
FLAT_VOCABULARY: Final = 320  # rows of its output layer: 256 bytes and a separator, rounded up to whole tiles
TORCH: Final = """
import json, sys
try:
    from sidlive.model.training.reference import seconds_per_frame
except ModuleNotFoundError:
    sys.exit(print("null"))
from sidlive.bench import engine as bench
print(json.dumps(seconds_per_frame(bench.weights_of({name!r})[0], bench.exercise({context}))))
"""


def bench_engine(rounds: int, everything: bool, report_progress: Callable[[str], object]) -> Iterator[Result]:
    """Yield the figures one by one.

    ``rounds``: runs per figure, the fastest of which counts. ``everything``: also the measurements that take minutes.
    ``report_progress`` is called with a text for each measurement.
    """
    isa = in_use()
    yield Result("isa", isa)
    report_progress("the machine's limits")
    limits = Limits(*(max(_products_per_s(size) for _ in range(rounds)) for size in (CACHED, UNCACHED)))
    yield Result(f"gmac_per_s.{isa}", limits.cached / 1e9, "GMAC/s")
    yield Result(f"memory_gb_per_s.{isa}", limits.uncached / 1e9, "GB/s")
    for result in _figures(limits, rounds, everything, report_progress):
        yield result if result.name.startswith("weights.") else replace(result, name=f"{result.name}.{isa}")


def _figures(
    limits: "Limits", rounds: int, everything: bool, report_progress: Callable[[str], object]
) -> Iterator[Result]:
    """Yield the figures of the instruction set in use, without its name; see `bench_engine`."""
    for name in EVERY if everything else EVERY[:2]:
        report_progress(f"{name}: loading")
        weights, kind = weights_of(name)
        engine = Engine(weights, CONTEXT)
        del weights
        report_progress(f"{name}: compiling kernels that are not in the cache yet")
        warm_up(engine)
        report_progress(f"{name}: measuring")
        yield Result(f"weights.{name}", kind)
        yield from _rates(name, engine, rounds, limits)
        if name == "stage":
            report_progress("stage: a flat transformer of its size")
            yield Result("flat_realtime_x.stage", 1 / (_flat_seconds(engine, rounds) * PAL.rate_hz), "x")
            report_progress(f"stage: {LANES} lanes")
            yield Result(f"lanes{LANES}_cost_x.stage", _lanes_cost(engine, rounds), "x")
        if name in ("pocket", "stage"):
            yield Result(f"prefill512_ms.{name}", min(_prefill_ms(engine, 512) for _ in range(rounds)), "ms")
    report_progress("composer")
    yield from _composer_rates(rounds)
    report_progress("starting")
    warm = min((_start("pocket") for _ in range(2)), key=lambda start: start[0])
    yield Result("start_s.warm", warm[0], "s")
    yield Result("resident_mb.pocket", warm[1], "MB")
    if everything:
        report_progress("starting for the first time")
        with tempfile.TemporaryDirectory() as folder:
            yield Result("start_s.cold", _start("pocket", {"NUMBA_CACHE_DIR": folder})[0], "s")
        yield Result("resident_mb.stage", _start("stage")[1], "MB")
        report_progress("stage: torch")
        seconds = _torch_seconds("stage")
        if seconds is not None:  # torch is there for those who train
            yield Result("torch_realtime_x.stage", 1 / (seconds * PAL.rate_hz), "x")


def weights_of(name: str) -> tuple[EngineWeights, str]:
    """Return a preset's weights and "shipped", or random weights of its shape and "random".

    ``name``: a preset, or one with "4" behind it, for random weights of 4 bits.
    """
    if name.endswith("4"):
        return random_weights(PRESETS[name[:-1]], std=0.05, bits=4), "random"
    if (ASSETS / f"{name}.safetensors").exists():
        return load_weights(name), "shipped"
    return random_weights(PRESETS[name], std=0.05), "random"


def _composer_rates(rounds: int) -> Iterator[Result]:
    """Yield the time in which the composer of ``pocket`` writes an event after a full context, and hears 600 events."""
    shipped = (ASSETS / f"pocket{COMPOSER.suffix}.safetensors").exists()
    composer = Composer(load_composer_weights("pocket") if shipped else random_weights(COMPOSERS["pocket"], std=0.05))
    warm_up_composer(composer)
    events = np.stack([composer.write(NOTES) for _ in range(composer.config.context)])
    writing, hearing = [], []
    for _ in range(rounds):
        worked = time.thread_time()
        for _ in range(ROUND):
            composer.write(NOTES)
        writing.append((time.thread_time() - worked) / ROUND)
        composer.reset()
        worked = time.thread_time()
        composer.prefill(events[:600])
        hearing.append(time.thread_time() - worked)
        composer.prefill(events[600:])
    yield Result("composer_us_per_event", min(writing) * 1e6, "us")
    yield Result("composer_prefill600_ms", min(hearing) * 1e3, "ms")


def exercise(count: int) -> Frames:
    """Return a made-up tune ``uint8[count, 28]``: a bass, an arpeggio and a melody with a sweeping pulse width."""
    frames = silence(count)
    notes = np.array([0x0893, 0x0A14, 0x0CD8, 0x0E6B])
    for t in range(count):
        row = t // 6
        pitches = (
            notes[row // 16 % 4] // 2,
            notes[(row // 4 + t % 3) % 4] * 2,
            notes[row * 5 % 4] + (0, 9, 0, -9)[t % 4],
        )
        for voice, pitch in enumerate(pitches):
            at = register_of(voice, 0)
            pulse = (0x400 + 13 * t) & 0xFFF
            gate = int(t % (6 << voice) < 4)
            frames[t, at : at + 7] = pitch & 255, pitch >> 8, pulse & 255, pulse >> 8, 0x40 | gate, 0x09, 0xA4
        frames[t, MODE_VOL] = 0x0F
    for voice in range(VOICES):
        frames[:, FIRST_CONTROL + voice] = frames[:, register_of(voice, CONTROL)]
    return frames


def resident_mb() -> float:
    """Return the megabytes of memory that this process uses now (or used at most, on systems without /proc)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


class Limits(NamedTuple):
    """What the machine can do, with the instructions in use: products of bytes a second, one byte of weights each."""

    cached: float
    uncached: float  # the weights come from memory


@kernel
def _multiply_once(x, matrix, result, quantised, count):  # type: ignore[no-untyped-def]
    """Multiply ``x [1, columns]`` by a matrix, ``count`` times."""
    for _ in range(count):
        multiply(x, x.shape[1], matrix, 0, matrix.tiles.shape[1], result, 0, quantised)


def _products_per_s(size: int, bits: int = 8) -> float:
    """Return the products a second with a matrix of ``size`` weights, the fastest of a few passes over it."""
    columns = 1024  # about as many as a row of the larger networks has
    tiles = size // columns // TILE
    scales = np.ones((1, tiles * TILE), np.float32)
    matrix: TiledMatrices | GroupedMatrices
    if bits == 8:
        matrix = TiledMatrices(aligned((1, tiles, columns // 4, TILE, 4), np.uint8), scales)
    else:
        factors = aligned((1, tiles, columns // GROUP, TILE), np.int8)
        factors[:] = 1
        matrix = GroupedMatrices(aligned((1, tiles, columns // 8, TILE, 4), np.uint8), factors, scales)
    matrix.tiles[:] = 1  # each page of memory is its own, not the system's page of zeros
    x, result = np.ones((1, columns), np.float32), np.zeros((1, tiles * TILE), np.float32)
    scratch, count = quantised(1, columns), max(1, PRODUCTS // size)
    _multiply_once(x, matrix, result, scratch, 1)
    worked = time.thread_time()
    _multiply_once(x, matrix, result, scratch, count)
    return columns * tiles * TILE * count / (time.thread_time() - worked)


def _limit_s(engine: Engine, tokens: float, limits: Limits, weights_per_s: float) -> float:
    """Return the seconds that a frame of this many tokens takes at the machine's limit.

    Counts the products with matrices, keys and values. ``weights_per_s``: speed of those with the time level's weights.
    """
    config = engine.config
    kept = 2 * config.time.layers * config.time.width * CONTEXT
    head = engine._model.column.head.tiles[0].size
    column_level = config.time.width * config.column.width + tokens * (config.column.parameters + head)
    return config.time.parameters / weights_per_s + (kept + column_level) / limits.cached


def _bytes_of_weight(engine: Engine) -> float:
    """Return the bytes of a weight in the time level's blocks, with its share of a group's factor."""
    stack = engine._model.time.stack
    return 0.5 + 1 / GROUP if isinstance(stack.out, GroupedMatrices) else 1


def _rates(name: str, engine: Engine, rounds: int, limits: Limits) -> Iterator[Result]:
    """Yield the speed of generating frames after a full context, and the number of tokens per frame."""
    engine.reset()
    engine.prefill(exercise(CONTEXT))
    waits, works, tokens = np.empty((rounds, ROUND)), np.empty(rounds), 0
    for round_number in range(rounds):
        worked = time.thread_time()
        for i in range(ROUND):
            begin = time.perf_counter()
            engine.step(SAMPLING)
            waits[round_number, i] = time.perf_counter() - begin
            tokens += int((engine.last_tokens != tk.SKIP).sum())
        works[round_number] = (time.thread_time() - worked) / ROUND
    fastest, weights, each = float(works.min()), engine.config.time.parameters, _bytes_of_weight(engine)
    if weights * each > UNCACHED:
        weights_per_s = limits.uncached / each
    else:
        weights_per_s = max(_products_per_s(weights, 8 if each == 1 else 4) for _ in range(rounds))
    yield Result(f"realtime_x.{name}", 1 / (fastest * PAL.rate_hz), "x")
    yield Result(f"frame_ms.{name}", fastest * 1e3, "ms")
    yield Result(f"p99_ms.{name}", float(np.quantile(waits, 0.99)) * 1e3, "ms")
    yield Result(f"tokens_per_frame.{name}", tokens / waits.size)
    yield Result(f"weights_gb_per_s.{name}", weights_per_s * each / 1e9, "GB/s")
    yield Result(f"share_of_limit.{name}", _limit_s(engine, tokens / waits.size, limits, weights_per_s) / fastest)


def _lanes_cost(engine: Engine, rounds: int) -> float:
    """Return the time for a frame of LANES lanes divided by the time for a frame of one engine, measured in turns."""
    engine.reset()
    engine.prefill(exercise(CONTEXT))
    lanes, samplings = engine.fork(LANES), [replace(SAMPLING, lane=lane) for lane in range(LANES)]
    lanes.step(samplings)
    fastest = [np.inf, np.inf]
    for _ in range(2 * rounds):
        for i, step in enumerate((lambda: engine.step(SAMPLING), lambda: lanes.step(samplings))):
            worked = time.thread_time()
            for _ in range(ROUND // LANES):
                step()
            fastest[i] = min(fastest[i], time.thread_time() - worked)
    return fastest[1] / fastest[0]


def _prefill_ms(engine: Engine, count: int) -> float:
    """Return the milliseconds that the engine takes to hear ``count`` frames."""
    frames = exercise(count)
    engine.reset()
    begin = time.thread_time()
    engine.prefill(frames)
    return (time.thread_time() - begin) * 1e3


def _start(name: str, environment: dict[str, str] | None = None) -> tuple[float, float]:
    """Return the seconds from the launch of a process to its first frame, and the megabytes that it uses then."""
    begin = time.time()
    end, resident = _output_of(START.format(name=name), environment)
    return end - begin, resident


def _torch_seconds(name: str) -> float | None:
    """Return seconds per frame of `Network.generate` on one core after CONTEXT frames; None without torch."""
    seconds: float | None = _output_of(TORCH.format(name=name, context=CONTEXT))
    return seconds


def _output_of(program: str, environment: dict[str, str] | None = None) -> Any:
    """Run a Python program in a process of its own; return the JSON that it prints."""
    here = {"PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env=os.environ | here | (environment or {})
    )
    return json.loads(ran.stdout)


@kernel
def _flat_frame(stack, x, normed, angles, cache, scratch, logits, first, tokens, context):  # type: ignore[no-untyped-def]
    """Run the blocks and the output layer of a flat transformer for ``tokens`` tokens, from position ``first`` on."""
    for token in range(first, first + tokens):
        steps = Steps(np.int64(0), np.zeros(1, np.int64), np.full(1, token), angles, angles, angles, angles)
        run_blocks(stack, x, steps, context, 0, cache, scratch, True)
        normalise(x, stack.last_norm, normed)
        multiply(
            normed, normed.shape[1], stack.query_key_value, 0, logits.shape[1] // TILE, logits, 0, scratch.quantised
        )


def _flat_seconds(engine: Engine, rounds: int) -> float:
    """Return seconds per frame of a flat transformer with the time level's blocks and CONTEXT tokens of context.

    It runs all blocks and an output layer once per token, with the engine's own kernels, weights and KV cache; the
    engine's state is overwritten. Sampling and embeddings are left out, which favours the flat transformer.
    """
    level, state, stack = engine._model.time, engine._state, engine.config.time
    cache = Cache(state.keys, state.values, state.key_scales, state.value_scales)
    x = np.full((1, level.stack.out.tiles.shape[1] * TILE), 0.1, np.float32)
    normed, logits = np.empty((1, stack.width), np.float32), np.zeros((1, FLAT_VOCABULARY), np.float32)
    scratch = engine._scratch[0].blocks
    angles = np.full((1, stack.head_width // 2), np.float32(np.sqrt(0.5)), np.float32)

    def spent(frames: int) -> float:
        worked = time.thread_time()
        for _ in range(frames):
            x[:] = 0.1  # the blocks change x in place
            _flat_frame(level.stack, x, normed, angles, cache, scratch, logits, CONTEXT, FLAT_TOKENS, CONTEXT)
        return (time.thread_time() - worked) / frames

    spent(1)
    return min(spent(3) for _ in range(rounds))

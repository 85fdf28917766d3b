"""Windows of notes for training a composer, and the network in torch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sidlive.errors import ModelError
from sidlive.model.composer import memory as mm
from sidlive.model.composer.events import INSTRUMENT, LENGTH, PITCH, REST, UNTUNED, VOICE, WAIT, Events, onsets_of
from sidlive.model.composer.shape import ComposerConfig
from sidlive.model.config import Stack
from sidlive.model.training.composer_network import ComposerNetwork, NoteBatch
from sidlive.model.training.composer_train import ComposerRun, measure_composer
from sidlive.model.training.composer_windows import NotePlan, _limit, rotated, stack, stretch, tick_of, transpose
from sidlive.model.training.export import export
from sidlive.model.training.optimisers import make_optimisers

TINY = ComposerConfig("tiny", Stack(32, 1, 2, 1, 64), 16, 32, context=64)


def tune(seed: int, count: int = 120) -> Events:
    """Return a random tune of a few figures, with drums in voice 3."""
    rng = np.random.default_rng(seed)
    figures = rng.integers(40, 60, (3, 8))
    events = np.zeros((count, 7), np.int16)
    events[:, WAIT] = np.where(np.arange(count) % 3 == 0, rng.choice([6, 12]), 0)
    events[:, VOICE] = events[:, INSTRUMENT] = np.arange(count) % 3
    events[:, PITCH] = [figures[rng.integers(3), i // 3 % 8] for i in range(count)]
    events[events[:, VOICE] == 2, PITCH] = UNTUNED
    return events


def window(events: Events, start: int = 0) -> dict[str, np.ndarray]:
    """Return the arrays of a window that begins at event ``start``, annotated with all music before it."""
    annotated = mm.annotate(events)[0]
    arrays = {
        "events": events,
        "onsets": onsets_of(events),
        "contexts": annotated.contexts,
        "suggested": annotated.suggested,
        "strengths": annotated.strengths,
        "lags": annotated.lags,
    }
    return {name: array[start:].astype(np.int64) for name, array in arrays.items()}


def test_a_limited_window_has_the_context_of_a_prompt_that_begins_there():
    events = tune(1)
    limited = window(events, 50)
    _limit(limited)
    alone = events[50:].copy()
    alone[0, WAIT] = 0
    annotated = mm.annotate(alone)[0]
    assert (limited["contexts"][1:] == annotated.contexts[1:]).all()


def test_transposing_a_window_is_the_same_as_transposing_the_tune():
    events = tune(2)
    moved = window(events)
    transpose(moved, 5)
    higher = events.copy()
    higher[higher[:, PITCH] < UNTUNED, PITCH] += 5
    expected = window(higher)
    for name, array in moved.items():
        assert (array == expected[name]).all(), name


def test_stretching_a_window_is_the_same_as_stretching_the_tune():
    """From ticks of 6 frames to 5; gates close two frames before the tick."""
    events = tune(2)
    rng = np.random.default_rng(2)
    events[::3, WAIT] = rng.choice([6, 12, 18], len(events[::3]))
    ticks = rng.integers(5, size=len(events))
    events[:, LENGTH] = np.where(ticks == 0, 0, 1 + 6 * ticks - 2)
    faster = events.copy()
    faster[:, WAIT] = events[:, WAIT] // 6 * 5
    faster[:, LENGTH] = np.where(ticks == 0, 0, 1 + 5 * ticks - 2)
    assert tick_of(events) == 6
    moved, direct = window(events), window(faster)
    stretch(moved, 6, 5)
    np.testing.assert_array_equal(np.diff(moved["onsets"]), np.diff(direct["onsets"]))
    for name in ("events", "suggested"):
        np.testing.assert_array_equal(moved[name], direct[name], err_msg=name)
    near = moved["contexts"] < 40  # ages that the tune's end limits are known only up to LONGEST_WAIT
    np.testing.assert_array_equal(moved["contexts"][near], direct["contexts"][near])
    whole = {name: part.copy() for name, part in moved.items() if name != "turns"}
    stretch(moved, 5, 100)
    assert all(np.array_equal(moved[name], part) for name, part in whole.items()), "no wait may become too long"


def test_a_window_has_a_tick_only_if_nearly_all_waits_are_multiples_of_it():
    events = tune(3)
    events[:, WAIT] = np.resize([0, 6, 18, 12], len(events))
    assert tick_of(events) == 6
    events[:9, WAIT] = 7
    assert tick_of(events) == 6
    events[:, WAIT] = np.resize([0, 7, 5], len(events))
    assert tick_of(events) == 0
    events[5] = [95, REST, 0, 0, 0, 0, 0]
    events[6:, WAIT] = 6
    assert tick_of(events) == 0


def test_a_window_is_not_transposed_out_of_range():
    events = tune(3)
    events[10, PITCH] = 107
    kept = window(events)
    before = kept["events"].copy()
    transpose(kept, 1)
    assert (kept["events"] == before).all()


def test_rotating_voices_keeps_every_note_and_its_frame():
    events = tune(4)
    events[5] = [95, REST, 0, 0, 0, 0, 0]
    turned = rotated(events, 1)

    def notes(of: Events, turns: int) -> list[tuple[int, ...]]:
        sounding = of[:, VOICE] < REST
        columns = (onsets_of(of)[sounding], (of[sounding, VOICE] + turns) % 3, of[sounding, PITCH])
        return sorted(zip(*(column.tolist() for column in columns), strict=True))

    assert notes(events, 1) == notes(turned, 0)
    cells = 3 * onsets_of(turned) + np.where(turned[:, VOICE] < REST, turned[:, VOICE], 0)
    assert (np.diff(cells) >= 0).all()


def test_rests_and_padding_cost_nothing_beyond_their_voice():
    batch = stack([window(tune(5))], 200)
    torch.manual_seed(0)
    costs = ComposerNetwork(TINY).nats(batch).view(199, 7)
    assert (costs[119:, 2:] == 0).all()
    assert (costs[:119] > 0).all()


def test_the_future_does_not_change_the_cost_of_the_past():
    torch.manual_seed(0)
    network, batch = ComposerNetwork(TINY), stack([window(tune(6))], 120)
    changed = NoteBatch(*(part.clone() for part in batch))
    changed.events[0, 80:, PITCH] = 70
    changed.suggested[0, 81:] = mm.NOTHING
    before, after = network.nats(batch), network.nats(changed)
    assert torch.equal(before[:79], after[:79])
    assert not torch.equal(before[79:], after[79:])


class FewTunes:
    """A source of windows from three small tunes, in place of `NoteWindows`."""

    def batch(self, plan: NotePlan, step: int) -> NoteBatch:
        return stack([window(tune(step % 3)) for _ in range(plan.batch)], 120)


def test_a_composer_learns_and_its_run_can_be_resumed(tmp_path: Path):
    def run() -> ComposerRun:
        return ComposerRun(tmp_path, TINY, NotePlan(batch=2), 60.0, 5e-3, torch.float32, compiled=False)

    held_out, first = [FewTunes().batch(NotePlan(batch=3), 0)], run()
    untrained = sum(measure_composer(first.network, held_out))
    for step in range(40):
        first.learn(FewTunes().batch(first.plan, step))
    first.measure(held_out)
    assert first.best < untrained - 2
    first.save()
    again = run()
    assert again.resume() and again.step == first.step
    for both in (first, again):  # the optimisers remember as much
        both.learn(FewTunes().batch(both.plan, both.step))
    assert all(torch.equal(a, b) for a, b in zip(again.network.parameters(), first.network.parameters(), strict=True))


def test_a_composer_attends_no_farther_than_its_windows_reach(tmp_path: Path) -> None:
    long, short = (
        ComposerRun(tmp_path / str(length), TINY, NotePlan(length=length), 60.0, compiled=False) for length in (512, 48)
    )
    assert long.config == TINY and short.config == replace(TINY, context=48) == short.network.config
    long.learn(FewTunes().batch(long.plan, 0))
    long.measure([FewTunes().batch(NotePlan(batch=1), 0)])
    short.start_from(long.folder / "best.pt")  # weights do not depend on the context
    assert short.config.context == 48


def test_each_parameter_has_one_optimiser() -> None:
    network = ComposerNetwork(TINY)
    taken = [
        parameter
        for optimiser in make_optimisers(network, 1e-3)
        for group in optimiser.param_groups
        for parameter in group["params"]
    ]
    assert len(taken) == len({id(p) for p in taken}) == len(list(network.parameters()))


def test_a_run_of_an_older_version_says_how_to_go_on(tmp_path: Path) -> None:
    run = ComposerRun(tmp_path, TINY, NotePlan(batch=2), 60.0, compiled=False)
    run.learn(FewTunes().batch(run.plan, 0))
    run.save()
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=False)
    del kept["optimised_by"], kept["optimisers"]
    torch.save(kept, tmp_path / "checkpoint.pt")
    with pytest.raises(ModelError, match=r"checkpoint.pt was trained by an older version: .* --from .*checkpoint.pt"):
        run.resume()


def test_a_run_begins_with_the_weights_of_a_checkpoint_or_of_a_model_file(tmp_path: Path):
    def run(name: str) -> ComposerRun:
        return ComposerRun(tmp_path / name, TINY, NotePlan(batch=2), 60.0, 5e-3, torch.float32, compiled=False)

    first = run("first")
    for step in range(3):
        first.learn(FewTunes().batch(first.plan, step))
    first.measure([FewTunes().batch(NotePlan(batch=1), 0)])
    export(first.folder / "best.pt", tmp_path / "tiny.safetensors", {})
    for model, exact in ((first.folder / "best.pt", True), (tmp_path / "tiny.safetensors", False)):
        second = run("second")
        second.start_from(model)
        for name, weights in second.network.named_parameters():
            wanted = first.average[name]
            assert torch.equal(weights, second.average[name])
            if exact:
                assert torch.equal(weights, wanted)
            else:  # eight bits a number, with a scale for each row
                assert (weights - wanted).abs().max() <= wanted.abs().max() / 127


def test_a_model_of_another_shape_is_refused_in_one_line(tmp_path: Path):
    run = ComposerRun(tmp_path, TINY, NotePlan(), 60.0, 5e-3, torch.float32, compiled=False)
    with pytest.raises(ModelError, match="another shape than tiny"):
        run.start_from("pocket")


@pytest.mark.parametrize("field", range(7))
def test_a_suggestion_ends_at_the_first_field_in_which_the_event_differs(field: int):
    from sidlive.model.training.composer_network import offered_fields

    event = torch.tensor([[6, 1, 0, 3, 50, 0, 4]])
    suggestion = event.clone()
    suggestion[0, field] = (suggestion[0, field] + 1) % 3
    batch = NoteBatch(event, event[:, 0], event[:, :1], suggestion[:, None].expand(1, 4, 7), event[:, :4])
    offered = offered_fields(batch)[0, 0]
    binding = field < PITCH
    for later in range(7):
        gone = binding and later > field
        assert (offered[later] == suggestion[0, later]) == (not gone)

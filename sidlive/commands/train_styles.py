"""``sidlive train-styles``: find the directions in which a composer's notes can be moved."""

import argparse
from pathlib import Path

from sidlive.commands.arguments import add_json_option


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``train-styles`` to the command line."""
    command = subparsers.add_parser(
        "train-styles",
        help="find what the controls era, like_galway ... do to a composer (needs torch: pip install 'sidlive[train]')",
    )
    command.add_argument("corpus", type=Path, metavar="CORPUS", help="a corpus from `sidlive corpus build`")
    command.add_argument(
        "--composer", default="pocket", metavar="MODEL", help="a preset or a composer's file (default: pocket)"
    )
    command.add_argument(
        "-o", "--out", type=Path, help="file to write (default: X-styles.safetensors beside X.safetensors)"
    )
    command.add_argument("--seed", type=int, default=4, help="chooses the excerpts (default: 4)")
    add_json_option(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Hear excerpts of all songs and write the styles. Raises ModelError, DeviceError."""
    from sidlive.model.training.torch_setup import require_torch, use_threads

    require_torch("training")
    use_threads(1)  # the same numbers on every machine of this kind, however many cores it has
    from sidlive.model.composer.styles import save_styles, styles_path
    from sidlive.model.corpus.shards import SPLITS, open_corpus
    from sidlive.model.training.composer_windows import NoteWindows, prepare_notes
    from sidlive.model.training.style_train import EXCERPT, find_styles, song_vectors
    from sidlive.model.weights import COMPOSER, load_composer_weights, model_path
    from sidlive.report import Result, emit, progress_bar
    from sidlive.writing import expect_place

    path = model_path(arguments.composer, COMPOSER)
    out = arguments.out or styles_path(path)
    expect_place(out)
    weights, corpus = load_composer_weights(path), open_corpus(arguments.corpus)
    with progress_bar() as bar:
        task = bar.add_task("finding the notes", total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        windows = NoteWindows(corpus, prepare_notes(corpus, report_progress=report), SPLITS, EXCERPT)
        bar.update(task, description="hearing songs")
        vectors = song_vectors(weights, windows, arguments.seed, report)
    card = {"found": f"in {len(vectors.songs)} songs, seed {arguments.seed}"}
    styles, found = find_styles(vectors, corpus.tunes, weights.digest, card)
    save_styles(styles, out)
    emit(
        [
            result
            for style in found
            for result in (
                Result(f"{style.name}.songs", style.songs),
                Result(f"{style.name}.others", style.others),
                Result(f"{style.name}.auc.held_out", style.auc),
            )
            if result.value == result.value  # no figure without held-out songs of both kinds
        ],
        arguments.json,
        title=f"wrote {out}",
    )
    return 0

"""The command line: a module for each command, named as the command; `sidlive.cli` joins them.

Each has ``register``, which adds the command's parser, and ``run``, which does the work. In groups:

- `studio` (the command line without a command), `run`: the instrument, with and without a screen.
- `play`, `render`, `info`, `fragments`, `capture`: tunes and frames.
- `generate`: the model continues a tune.
- `take`, `replay`, `compile`: what becomes of a performance.
- `corpus`, `train`, `eval`, `export`: models.
- `bench` (a folder, with a module for each benchmark), `doctor`, `docs`: this machine, and help.

What several share: `arguments` (options), `music` (music to be played), `take_files` (takes written to files).
"""

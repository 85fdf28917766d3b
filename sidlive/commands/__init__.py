"""The command line: a module for each command, with the command's name; `sidlive.cli` joins them.

Each has ``register``, which adds the command's parser, and ``run``, which does the work. In groups:

- `studio` (the command line without a command), `run`: the instrument, with and without a screen.
- `play`, `render`, `info`, `fragments`, `capture`: tunes and frames.
- `generate`: the model continues a tune.
- `take`, `replay`, `compile`: recorded performances, and .sid files from them.
- `corpus`, `train`, `eval`, `export`: models.
- `bench` (a folder, with a module for each benchmark), `doctor`, `docs`: this machine, and help.

Shared by several commands: `arguments` (options), `music` (music to be played), `take_files` (takes written to files).
`train_display` shows a training run on the terminal.
"""

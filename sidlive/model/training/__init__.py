"""Training a network on a corpus. The only package that imports torch; playing never imports it.

In reading order:

- `plan`: the settings of a run: steps, batch, learning rate. Free of torch.
- `network`: the two-level transformer, and the slow reference implementation that the engine is tested against.
- `parts`: files of rows that are computed when they are first needed.
- `prepared`: the tokens of a corpus, and the suggestions of recall and of guides, computed once per song.
- `windows`: windows of tunes to train on, with the suggestions of recall for each frame.
- `precision`: the precision of matrix products, chosen by measuring.
- `taste_sections`, `taste_train`: the taste by which drafts of a plan are compared.
- `style_train`: the styles towards which notes can be moved.
- `ranks`: training on several processes at once.
- `checkpoints`: the files of a run, read and written.
- `train`: a run in its folder: steps, measurements, checkpoints, resuming.
- `export`: from a checkpoint to the int8 file that the engine loads.
- `reference`: a checkpoint in float32 with the engine's methods, for `sidlive eval` and `sidlive bench engine`.
- `flat`, `comparison`: a transformer over plain register bytes, and its race against ours (`sidlive bench mind`).
- `speed`: the speed of a training step beside the machine's peak (`sidlive bench train`).
- `torch_setup`: the error message if torch is missing, and torch's number of threads.
"""

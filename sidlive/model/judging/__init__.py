"""How good a model is: its cost on held-out tunes, and its continuations compared with the real tunes. No torch.

In reading order:

- `likelihood`: the cost of held-out tunes in nats per frame, with confidence intervals.
- `note_likelihood`: the cost of their notes under a composer, in nats per note.
- `measures`: simple measures of music: share of tones in tune, density of notes, repetition at the bar, silence.
- `form`: measures of musical form: variety of pitches and rhythms, new figures, loops, voices that fall silent.
- `copies`: the longest runs of frames that were copied from other music.
- `critic`: decision trees that learn to tell generated music from composers' music; their success is the measure.
- `continuations`: continuations of held-out tunes by the model, measured beside the tunes' own continuations.
- `rolls`: piano rolls of a prompt and its continuations as an SVG file.
"""

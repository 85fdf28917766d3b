"""How good a model is: its cost on held-out tunes, and its continuations compared with the real tunes. No torch.

In reading order:

- `likelihood`: the cost of held-out tunes in nats per frame, with confidence intervals.
- `measures`: measures of music in frames: in tune, dense, repeating at the bar, dying.
- `form`: measures of how music moves on: new pitches, figures and rhythms, loops, voices that fall silent.
- `copies`: the longest runs of frames that were copied from other music.
- `critic`: trees that learn to tell generated music from composers' music; how well they can is the measure.
- `continuations`: prompts of held-out tunes, their continuations by the model, and both measured side by side.
- `rolls`: piano rolls of a prompt and its continuations as an SVG file.
"""

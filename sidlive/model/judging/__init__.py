"""How good a model is: its cost on held-out tunes, and its continuations compared with the real tunes. No torch.

In reading order:

- `likelihood`: the cost of held-out tunes in nats per frame, with confidence intervals.
- `measures`: measures of music in frames: in tune, dense, repeating at the bar, dying.
- `copies`: the longest runs of frames that were copied from other music.
- `continuations`: prompts of held-out tunes, their continuations by the model, and both measured side by side.
"""

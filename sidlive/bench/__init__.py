"""Benchmarks, each for one question, and the programs that they compare ours with (py65, libsidplayfp).

- `engine` (``sidlive bench engine``): how many times faster than real time does the engine generate?
- `live`, `gaps` (``sidlive bench live``): how soon is a change of a control heard, and has the sound gaps?
- `start` (``sidlive bench start``): how soon is the first sound heard, warm and on a new machine?
- `clock` (``sidlive bench clock``): is the bar found that a tune repeats at, and do timed commands come in their frame?
- `hands` (``sidlive bench hands``): how soon does a control follow a knob, and what does a flood of messages cost?
- `capture`, `tempo`, `speed` (``sidlive bench capture``): are the captured registers and their rate those of
  libsidplayfp, and how fast is our machine compared with libsidplayfp and py65?
- `compile` (``sidlive bench compile``): how small, exact and fast are tunes and takes as .sid files?
- `training` (``sidlive bench train``): how fast is a training step, beside the machine's fastest product of matrices?
  It makes up a corpus; measuring lives in `sidlive.model.training.speed`.
- ``sidlive bench mind``: does our network learn more in the same time than a flat transformer over register bytes? It
  trains networks, so it lives in `sidlive.model.training.comparison`.

They use:

- `peer`: libsidplayfp, driven by our program ``peer.cpp``.
- `py65_player`: py65's 6502 with enough of a C64 around it to play a .sid file.
- `pulse_room`: a PulseAudio of our own, and recordings of it.
- `calls`: the cycles that each play call takes on our 6510.
"""

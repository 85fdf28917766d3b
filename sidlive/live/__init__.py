"""Time: the tape, the generator, the outputs, MIDI, the session and its verbs. No torch, no Textual."""

"""MIDI controllers on controls.

In reading order: `midi` (controllers, knobs, learning), `moves` (what the messages mean), `bindings` (which knob moves
which control), `midi_ports` (opens ports as they come and go), `midi_drivers` (the drivers), `jack` (JACK's ports).
"""

"""MIDI: the knobs of controllers move controls, keyboards play voices.

In reading order: `midi` (controllers, knobs, learning), `moves` (from messages to knob positions), `bindings` (which
knob moves which control), `midi_ports` (opens ports as they come and go), `midi_drivers` (the drivers), `jack` (JACK's
ports), `keyboards` (notes of keyboards).
"""

"""MIDI: the knobs of controllers move controls, keyboards play voices.

In reading order: `midi` (controllers, knobs, learning), `moves` (from messages to knob positions), `bindings` (which
knob moves which control), `monitor` (the last messages),
`keyboards` (notes of keyboards).

Ports: `ports` (the ports as the core sees them), `midi_process` (a process of its own, which hears and sends),
`midi_ports` (opens ports as they come and go), `port_names` (names that stay), `midi_drivers` (the drivers), `midi_out`
(outputs with exact times), `jack` and `rtmidi` (the libraries), `arrival_times` (times without a thread's delay).
"""

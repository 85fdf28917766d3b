"""MIDI: knobs and pads of controllers do what their maps say, keyboards play voices.

In reading order: `deeds` (what hands do, as text), `actor` (does it), `map` (which knob or pad does what), `midi`
(controllers, learning, lights), `monitor` (the last messages), `keyboards` (notes of keyboards).

Ports: `ports` (the ports as the core sees them), `midi_process` (a process of its own, which hears and sends),
`midi_ports` (opens ports as they come and go), `port_names` (names that stay), `midi_drivers` (the drivers), `midi_out`
(outputs with exact times), `jack` and `rtmidi` (the libraries), `arrival_times` (times without a thread's delay).
"""

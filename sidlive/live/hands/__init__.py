"""MIDI controllers: drivers, ports, what messages mean, and which knob moves which control."""

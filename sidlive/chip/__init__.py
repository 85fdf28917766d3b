"""The hardware: SID registers, the 6510, the machine around it, the sound."""

"""The sound: a renderer thread, the feed that never blocks, the audio device and what minds it."""

"""The core: which frame is played next, and the generation of the frames to come. No threads, no devices of its own.

In reading order: `core` (its calls), `timekeeper` (commands that wait for their frame), `tape_player` (chooses the next
frame), `tape` (frames played and to come), `desk` (the current settings), `lineage` (the past that the engine
continues), `course` (settings and past of a frame), `schedule` (the courses of the frames ahead), `generator` (keeps
the tape filled), `voices` (held, locked and muted voices), `keyed` (voices on a keyboard), `rests` (detects voices that
have lost their notes), `audition` (plays a take again), `prelude` (the fragment itself, while the engine is compiled),
`mirror` (frames and notes in memory that the screen shares), `surroundings` (what the core asks of devices).
"""

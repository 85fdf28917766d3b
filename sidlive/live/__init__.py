"""The instrument: the session and its verbs, the core that plays, and the processes and devices around it.

Public: `sidlive.live.session.Session` over a link from `room.open_room` (the core has its own process and plays in real
time) or `script.open_offline` (the core is in this process; virtual time, as fast as the engine). No torch, no Textual.
In reading order:

- the session: `session`, `verbs/` (the verbs, declared one by one), `link` (the calls and commands of a core),
  `controls` (the settings that verbs and knobs change), `state` (the values that the screen shows), `places` (folders
  and paths)
- the core: `core` (its calls), `tape_player` (chooses the next frame), `desk` (the current settings), `tape` (frames
  played and to come), `lineage` (the past that the engine continues), `generator` (keeps the tape filled), `voices`
  (held, locked and muted voices), `rests` (detects voices that have lost their notes), `audition` (plays a take
  again)
- the take: `take` (frames and log), `commit` (a take as a .sid file), `replay` (frames from the log)
- the processes: `options`, `process` (the core process), `room` (starts it, and is the link to it), `mirror` (frames
  in shared memory), `script` (scripts; the link in virtual time), `sound/` (devices), `hands/` (MIDI)
"""

"""The instrument: the session and its verbs, the core that plays, and the processes and devices around it.

Public: `sidlive.live.session.Session` over a link from `room.open_room` (the core has its own process and plays in real
time) or `script.open_offline` (the core is in this process; virtual time, as fast as the engine). No torch, no Textual.
In reading order:

- the session: `session`, `verbs/` (the verbs, declared one by one), `link` (the calls and commands of a core),
  `controls` (the settings that verbs and knobs change), `state` (the values that the screen shows), `places` (folders
  and paths)
- the core: `core` (its calls), `timekeeper` (commands that wait for their frame), `tape_player` (chooses the next
  frame), `tape` (frames played and to come), `desk` (the current settings), `lineage` (the past that the engine
  continues), `course` (settings and past of a frame), `schedule` (the courses of the frames ahead), `generator` (keeps
  the tape filled), `voices` (held, locked and muted voices), `rests` (detects voices that have lost their notes),
  `audition` (plays a take again)
- the clock: `moments` ("bar", "2 beats"), `clock` (which beat a frame lies in), `shapes` (movements of controls),
  `loops` (functions called in time)
- the take: `take` (frames and log), `commit` (a take as a .sid file), `replay` (frames from the log)
- the processes: `options`, `process` (the core process), `room` (starts it, and is the link to it), `mirror` (frames
  in shared memory), `script` (scripts; the link in virtual time), `sound/` (devices), `hands/` (MIDI), `osc/`,
  `sync/` (the clocks of others)
"""

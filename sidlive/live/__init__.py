"""The instrument: the session and its verbs, the core that plays, and the processes and devices around it.

Public: `sidlive.live.session.Session` over a link from `room.open_room` (a process of its own, in real time) or
`script.open_offline` (this process, in virtual time). No torch, no Textual. In reading order:

- the session: `session`, `verbs/` (the verbs, declared one by one), `link` (what may be asked of a core), `controls`
  (what a knob can turn), `state` (what the screen shows), `places` (folders and paths)
- the core: `core` (its calls), `tape_player` (what is heard next), `desk` (what the hands have set), `tape` (frames
  played and to come), `lineage` and `generator` (keep the tape filled), `voices` (held, locked and muted voices),
  `audition` (plays a take again)
- the take: `take` (frames and log), `commit` (a take as a .sid file), `replay` (frames from the log)
- the processes: `options`, `process` (the core process), `room` (its owner), `mirror` (frames in shared memory),
  `script` (scripts, virtual time), `sound/` (devices), `hands/` (MIDI)
"""

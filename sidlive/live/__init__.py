"""The instrument: the session and its verbs, the core that plays, and the processes and devices around it.

Public: `sidlive.live.session.Session` over a link from `processes.room.open_room` (the core has its own process and
plays in real time) or `script.open_offline` (the core is in this process; virtual time, as fast as the engine). No
torch, no Textual. In reading order:

- `session`, `verbs/` (the verbs, declared one by one), `link` (the calls and commands of a core), `controls` (the
  settings that verbs and knobs change), `state` (the values that the screen shows)
- `timing/` (beats, bars, loops), `core/` (chooses and generates the frames), `edits/` (of music while it plays)
- `takes/` (what was played, as files), `processes/` (the core process), `script` (scripts; the link in virtual time),
  `offline_sound` (the sound of a script), `places` (folders and paths)
- `sound/` (devices), `outputs/` (real SIDs), `hands/` (MIDI), `osc/`, `sync/` (the clocks of others)
"""

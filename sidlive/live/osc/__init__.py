"""Open Sound Control: programs and tablets set controls, call verbs, and get messages about the music.

In reading order: `osc_place` (the address to listen at, as people write it), `osc_commands` (what a message does),
`osc_news` (the messages for subscribers), `osc_server` (the socket, and the thread that serves it).
"""

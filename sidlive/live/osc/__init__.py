"""Open Sound Control: programs and tablets set controls, call verbs, and are told what happens.

In reading order: `osc_place` (the address to listen at, as people write it), `osc_commands` (what a message does),
`osc_news` (what subscribers are told), `osc_server` (the socket, and the thread that serves it).
"""

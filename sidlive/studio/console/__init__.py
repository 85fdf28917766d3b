"""The console: where the performer types Python and sees the results. In reading order:

- ``console``: the widget: output, line for typing, hint
- ``entry``: the line for typing; ``history``: what was typed earlier; ``completion``: what Tab offers
- ``statements``: typed text as Python statements; ``runner``: runs them in a thread of its own
- ``names``: the names that code finds; ``display``: how values are shown; ``error_text``: errors for people
"""

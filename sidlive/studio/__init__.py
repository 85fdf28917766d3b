"""The screen of the instrument. The only package that imports Textual; deleting it loses no function.

In reading order:

- ``launch``: opens the studio over a new core (`run`, the public face), and shows it on a terminal
- ``app``: the studio, which lays the parts out, keeps them up to date and does the actions
- ``actions``: what each key does
- ``terminal``: the terminal under the screen; ``ascii_fallback``: characters for a terminal with few of them
- ``colours``: all colours; ``monochrome``: how to do without them
- ``layout``: how the screen is divided
- ``widgets``: the parts that are drawn cell by cell; ``canvas``: the cells
- ``roll``: frames as notes, waveforms and envelopes; ``lanes``: the score; ``gutter``: the column to its left
- ``views``: masthead, panel, control strip, key bar; ``notices``: the line above the console
- ``console/``: the console, in which the performer types Python
- ``overlays``: the help, and the question before leaving
"""

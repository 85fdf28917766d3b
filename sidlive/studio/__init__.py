"""The screen of the instrument. The only package that imports Textual; deleting it loses no function.

In reading order:

- ``launch``: opens the studio over a new core (`run`, the public face), and shows it on a terminal
- ``app``: the studio, which lays the parts out, keeps them up to date and does the actions
- ``actions``: what each key does
- ``terminal``: the terminal that the studio draws on; ``terminal_driver``: reads it; ``ascii_fallback``: ASCII for
  terminals without Unicode
- ``colours``: all colours; ``monochrome``: text attributes in their place
- ``layout``: how the screen is divided
- ``widgets``: the parts that are drawn cell by cell; ``canvas``: a grid of cells
- ``roll``: frames as notes, waveforms and envelopes; ``lanes``: the score; ``marks``: bars, beats and waiting
  commands in it; ``plan_lanes``: the planned notes in it; ``gutter``: the column to its left
- ``views``: masthead, panel, control strip, key bar; ``notices``: the line above the console
- ``console/``: the console, in which the performer types Python
- ``overlays``: the help, and the question before leaving
"""

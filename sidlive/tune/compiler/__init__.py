"""Compiles frames to files that play on a Commodore 64, with a 6510 player; compared register by register.

Reading order:

- ``sid_file``: takes to a .sid file, and its comparison with the takes; the room's public face
- ``block``: player, pointers and packed takes in memory, at any page
- ``player.asm``: the player and the format of its tokens; ``assemble`` makes its bytes
- ``player_tokens``: kinds of stream, operations and limits of the tokens
- ``packer``: frames to tokens and back
- ``facts``: which tokens could stand at each frame of a stream
- ``search``: the cheapest tokens for one stream
- ``solver``: the tokens of all streams together, with calls between them
- ``cycles``: clock cycles that the player takes for each token
- ``coarse``: coarser pulse widths for smaller files
- ``program``, ``boot.asm``: takes as a .prg file with a screen
- ``listing``: takes as an assembly source
"""

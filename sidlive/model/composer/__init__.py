"""The composer: writes the notes that the frame levels will play. Loads no torch.

Reading order:

- ``events``: the language of the composer: a score's notes as rows of small numbers, and back
- ``memory``: what each event is told of the notes before it, and motifs: how the music continued after similar notes
- ``shape``: the sizes of a composer's network
"""

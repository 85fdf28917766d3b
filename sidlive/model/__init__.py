"""The model: the token language, the engine that generates, training, corpora and judging.

In reading order:

- ``tokens``: frames to tokens and back;
- ``recall``: how the music went on after similar passages;
- ``guide``: suggestions from a plan of notes, beside those of recall;
- ``config``, ``parameters``: the shape of a network, and of each of its parameters;
- ``weights``: model files; ``weight_files``: their format and their parts;
- ``engine``: generates frames, without torch; its ``__init__`` is the public interface;
- ``composer``: writes the notes that the engine plays, likewise;
- ``training``: the only package that imports torch;
- ``corpus``: training data; ``judging``: how good a model is;
- ``repetition``: how notes repeat, at any distance;
- ``scales``: the scale of a tune, and the register values of its notes.
"""

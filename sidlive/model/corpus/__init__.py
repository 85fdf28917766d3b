"""A corpus to train and judge on: the songs of a collection of .sid files, captured to frames, without duplicates.

In reading order:

- `shards`: a built corpus, read: its songs and their frames, and which songs are held out from training.
- `build`: from a folder of .sid files to a corpus.
- `workers`: runs the capture jobs in this process, in several processes, or on a dask cluster.
- `packed`: a whole corpus in one small file, to take to another machine.
- `duplicates`: finds songs that a collection holds more than once.
"""

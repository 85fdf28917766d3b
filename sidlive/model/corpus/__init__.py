"""A corpus to train and judge on: the songs of a collection of .sid files, captured to frames, without duplicates.

In reading order:

- `shards`: a built corpus, read: its songs and their frames, and which songs are held out from training.
- `build`: from a folder of .sid files to a corpus.
- `workers`: who runs the capture jobs: this process, several processes, or a dask cluster.
- `duplicates`: songs that a collection holds more than once.
"""

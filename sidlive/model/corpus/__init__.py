"""A corpus to train on: built from a collection of tunes, kept in shards, without duplicates."""

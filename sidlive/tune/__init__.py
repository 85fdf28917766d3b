"""Tunes: .sid files, capture to frames, fragments, edits, and frames back to .sid."""

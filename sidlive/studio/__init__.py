"""The screen. The only place that imports Textual; deleting it loses no function."""

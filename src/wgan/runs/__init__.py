"""The run folder: what is on disk, how it is written and read."""

"""Run folders as one HTML page, without torch."""

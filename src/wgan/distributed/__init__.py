"""Many processes as one: how they start, find each other, share a batch, average, and stop."""

"""Training: the one loop, one update of each player, and everything a run does beside them."""

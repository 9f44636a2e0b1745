"""Pictures: image grids, animations, loss curves, scatter plots."""

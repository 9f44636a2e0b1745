"""Use of a trained generator: load, sample, interpolate, sample grids, export."""

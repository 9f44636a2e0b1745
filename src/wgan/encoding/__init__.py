"""Encoders of runs: trained with generator and critic frozen, then used to score samples and to invert images."""

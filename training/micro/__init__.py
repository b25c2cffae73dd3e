"""Trains the preset `micro` on the simulated world, stage by stage; docs/training.md tells the order."""

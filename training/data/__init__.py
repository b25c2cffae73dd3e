"""Readers of the data sets: every one yields `training.samples.Sample`."""

"""Offline work: data sets, the simulated world, training and evaluation. Nothing here imports ROS."""

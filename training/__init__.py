"""Offline work around `cs3_model`: data sets, training and evaluation. Knows no ROS."""

"""Checks of labels by other means than those that made them."""

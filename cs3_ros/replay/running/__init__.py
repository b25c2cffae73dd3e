"""Runs of bags: at full speed or through the real node, one or many."""

"""Evaluation on recordings: bags through the same stream and pipeline as the node, and what came of it."""

"""Weight files: where they come from, getting them, and reading them safely."""

from cs3_model.weights.registry import WEIGHTS, WeightFile, find_weights
from cs3_model.weights.store import cache_folder, fetch, stored_path, verify

__all__ = ["WEIGHTS", "WeightFile", "cache_folder", "fetch", "find_weights", "stored_path", "verify"]

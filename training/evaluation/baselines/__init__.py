"""The rows to beat: what needs no network, the paper's baselines, and prompts in place of sound."""

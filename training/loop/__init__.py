"""What every training run shares: the loop, its checkpoints, its log, and several processes."""

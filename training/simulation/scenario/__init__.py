"""What may happen: scenarios, their difficulty, the splits, and the plan of a scene."""

"""Fine-tuning of a trained `micro` on own labelled collisions."""

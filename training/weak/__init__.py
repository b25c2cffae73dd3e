"""The paper's training (section 4.1): from pairs of pictures and sounds, without masks."""

"""What a bag holds for an evaluation: sound and images, ground truth, clocks."""

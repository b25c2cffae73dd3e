"""Following the objects of a collision through the images after it."""

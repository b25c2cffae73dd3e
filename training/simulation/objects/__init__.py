"""The household objects: their shapes, what they are made of, how they look and how they sound."""

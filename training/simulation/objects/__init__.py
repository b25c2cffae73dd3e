"""The things of the world: shapes, how they look and how they sound."""

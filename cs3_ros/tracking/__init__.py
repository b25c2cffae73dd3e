"""The node that follows the objects of a collision."""

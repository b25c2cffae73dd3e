"""The node that says where in the room the objects of a collision are."""

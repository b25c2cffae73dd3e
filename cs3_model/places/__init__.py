"""Where in the room the pixels of a mask are, where geometry is known: cameras, transforms, depth, planes."""

"""The vision network of `micro`: batches of pictures with dense truth, its losses, training and gates."""

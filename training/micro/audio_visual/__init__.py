"""What of `micro` hears and sees: the audio token and the decoder that points at what is heard."""

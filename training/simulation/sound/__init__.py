"""The sound of a scene: impacts, the soundscape around them, and what the head's microphone records."""

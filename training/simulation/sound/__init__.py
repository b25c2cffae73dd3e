"""From contact forces to the head's microphone: impacts, the soundscape around them, the room."""

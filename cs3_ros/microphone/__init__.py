"""The microphone node and its stream of stamped blocks."""

"""Bags without rosbag2: read whatever state they are in, written, played, and made of videos and clips."""

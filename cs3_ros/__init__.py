"""ROS 2 nodes and tools around `cs3_model`: they convert, call and publish, and leave the method to it."""

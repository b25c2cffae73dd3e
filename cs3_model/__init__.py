"""CS3: which objects collided, from one egocentric image and the sound around it. Knows no ROS."""

"""Pictures and labels of a simulated state: renderers, the camera model and its sensor, ids and boxes."""

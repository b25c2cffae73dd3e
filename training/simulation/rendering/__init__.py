"""From states to pictures and labels: renderers, the camera, ids and boxes."""

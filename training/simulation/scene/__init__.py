"""A scene before it moves: the laid table, hands and arms, the room, and the MuJoCo model of it all."""

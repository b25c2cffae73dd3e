"""A scene before it moves: the layout of the table, hands and arms, the room, and the MuJoCo model of it all."""

"""What moves and what touches: hands, arms, contacts, and the variants of a scene."""

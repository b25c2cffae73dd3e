"""What moves and what touches: hands, arms, contacts, and what is recorded of the variants of a scene."""

"""What may happen: scenarios, their levels of difficulty, and the splits of Sim-CS3."""

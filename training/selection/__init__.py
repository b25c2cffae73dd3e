"""The learned selection (`cs3_model.moment`): candidates that a preset proposes on Sim-CS3, corrupted as they are outside."""

"""Evaluation of rows on any data set: who guesses, who hears, who knows, all scored alike."""

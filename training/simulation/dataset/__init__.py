"""Sim-CS3 and clips on disk: generated, stored, and what truth.json says."""

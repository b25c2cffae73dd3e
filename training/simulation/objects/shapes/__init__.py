"""Builders of the shapes of household objects, each family in a file of its own; `catalogue` lists them all."""

"""The perception node: its parameters, inputs, outputs, diagnostics and services."""

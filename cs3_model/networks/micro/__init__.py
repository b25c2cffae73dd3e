"""The small networks of the preset `micro`: one vision tower with light heads, and a small audio encoder.

They are the counterparts of CLIPSeg, Hands23 and SAM 2 (`vision`) and of BEATs (`audio`), trained on the simulated
world alone.
"""

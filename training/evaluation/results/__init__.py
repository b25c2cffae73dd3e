"""The tables of results: their rows, their cache, their page, and the paper's figures to stand beside."""

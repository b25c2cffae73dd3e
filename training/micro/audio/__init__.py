"""The audio encoder of `micro`: labelled impact sounds without pictures, its training and its gate."""

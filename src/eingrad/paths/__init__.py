"""Contraction orders compared: the bench whose unit is a set of networks, a derivative mostly."""

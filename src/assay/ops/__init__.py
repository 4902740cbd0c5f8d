"""Bricks that algorithms share. Pure functions of tensors."""

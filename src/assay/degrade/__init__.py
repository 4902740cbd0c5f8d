"""Damage to order: one degradation, one file, its level in physical units."""

"""Trades with the quotes of their time: the join of two logs, its state and what of it a reset deletes."""

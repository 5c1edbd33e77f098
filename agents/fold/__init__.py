"""Trades to bars: a partition's fold, its state and changelog, and what of it goes where."""

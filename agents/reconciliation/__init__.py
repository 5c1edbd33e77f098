"""Bars held against the venues' own candles."""

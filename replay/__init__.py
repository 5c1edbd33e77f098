"""Simulated exchanges that speak the venues' own protocols."""

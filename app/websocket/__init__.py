"""The /ws door: what clients may say, what they hear, and what happens to those who read too slowly."""

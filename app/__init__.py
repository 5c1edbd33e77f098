"""What the API serves, and what every part shares: settings, topics, codecs, queries."""

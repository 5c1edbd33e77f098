"""Benchmarks, each beside the peers it is compared with and with the results compared for equality."""

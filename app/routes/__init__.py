"""The HTTP doors, a file each."""

"""The `livetape` command."""

"""`python -m replay` is `livetape replay`."""

from replay.command import app

app()

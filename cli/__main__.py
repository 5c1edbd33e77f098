"""`python -m cli` is `livetape`."""

from cli.main import main

main()

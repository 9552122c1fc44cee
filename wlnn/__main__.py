"""`python -m wlnn` is the command `wlnn`; nothing else is here."""

from wlnn.cli.main import main

if __name__ == "__main__":
    main()

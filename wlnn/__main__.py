"""The command `wlnn`, and `python -m wlnn`: Ctrl-C from the first moment, then the command line.

Until the command line is there to say "stopped", Ctrl-C ends the process without a word.
"""

import signal


def main() -> None:
    """Load the command line and run one command; see :func:`wlnn.cli.main.main`."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from wlnn.cli.main import main as command_line

    command_line()


if __name__ == "__main__":
    main()

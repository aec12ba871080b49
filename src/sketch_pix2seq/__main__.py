"""`python -m sketch_pix2seq` is the command `sketch-pix2seq`. Nothing is imported before Ctrl-C is taken care of."""

import os
import signal
import sys


def main() -> None:
    """Run the command line: one line and exit status 130 on Ctrl-C at any moment, imports included."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _stopped_at_once)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    from sketch_pix2seq.cli.main import main as run

    run()


def _stopped_at_once(number: int, frame: object) -> None:
    """While modules are imported and after a command has ended: nothing is half done, and nobody else may handle it."""
    os.write(2, b"sketch-pix2seq: stopped\n")
    os._exit(130)


if __name__ == "__main__":
    main()

"""`python -m sketch_pix2seq` is the command `sketch-pix2seq`."""

from sketch_pix2seq.cli.main import main

if __name__ == "__main__":
    main()

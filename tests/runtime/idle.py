"""A child that waits for the end of its standard input."""

import sys

if __name__ == "__main__":
    sys.stdin.buffer.read()

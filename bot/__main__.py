"""Starts the command line: `python -m bot`, and the console script `apv-bot`."""

from bot.cli.main import main

if __name__ == "__main__":
    main()

"""The command ``runcast``; nothing of it is imported before it is called."""


def main() -> None:
    """Entry point of the console script."""
    from runcast.cli.app import run

    run()

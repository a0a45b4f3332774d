"""apv-bot: the human gate between a proposed patch and a pull request."""

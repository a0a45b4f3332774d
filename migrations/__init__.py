"""The migrations, shipped in the package so that `apv-bot migrate` finds them."""

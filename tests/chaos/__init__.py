"""The fault run: reviewers at work while processes are killed, PostgreSQL goes away and the vendors fail."""

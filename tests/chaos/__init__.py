"""The fault run: reviewers work while processes are killed, PostgreSQL goes away and the vendors fail."""

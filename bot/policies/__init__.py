"""The policy file: its schema, how it is read and checked, and the built-in one."""

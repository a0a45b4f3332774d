"""How everything looks in Slack and in a pull request: values in, Block Kit or text out.

Pure. Everything a public builder returns fits Slack's limits.
"""

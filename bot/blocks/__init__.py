"""How everything looks in Slack: values in, Block Kit out.

Pure, and whatever leaves a public builder fits Slack's limits.
"""

"""Version bumps without a patch: a repository's manifests in, the same manifests with a higher pin out.

Pure: text in, text or a refusal out. Nothing but the version's own characters changes in a file.
"""

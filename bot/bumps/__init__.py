"""Version bumps without a patch: a repository's manifests in, the same manifests with a higher pin out.

Pure: it takes text and returns text or a reason. In a file only the characters of the version change.
"""

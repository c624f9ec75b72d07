"""The registry of proxies: its form, its pages, and the changes that these make.

It does not use the table editor (efcp/editing). That is for tables that others own: raw SQL that names only
the changed columns, a lock instead of a unique key, a token that guards each column. The registry is one of
the panel's own models with a unique name: `save()` and the version in its edit token are enough. The editor
would replace the list of columns only (about 20 lines), and knows nothing of the rest: a password that is
written and never shown, kept or removed, a connection test before the save, memory that is forgotten where
the address changed.
"""

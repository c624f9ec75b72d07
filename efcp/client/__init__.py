"""`efcpctl`: the panel from a shell, by its API. It needs neither Django nor the database."""

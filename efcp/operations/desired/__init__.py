"""The desired state: tables, names, test cases, maintenance and proxies as one YAML document for git."""

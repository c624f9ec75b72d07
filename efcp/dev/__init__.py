"""What `make dev` adds to the trial: Django's debug pages and the debug toolbar. Never used by a site."""

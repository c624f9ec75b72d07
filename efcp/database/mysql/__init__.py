"""Django's MySQL backend, whose new tables are utf8mb4 whatever the schema's default character set is."""

"""What is true of a PCRE2 expression for any input; only for those that are understood entirely."""

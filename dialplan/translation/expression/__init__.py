"""What can be said of a PCRE2 expression without an input: for those of which all is understood."""

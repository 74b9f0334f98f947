"""The audit: what is wrong with a table before a model is, one file for each kind of flaw."""

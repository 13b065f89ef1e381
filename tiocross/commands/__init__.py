"""The command line: each command checks its arguments, then calls the library and prints."""

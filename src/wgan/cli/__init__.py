"""The command line: parsing, commands, messages."""

"""The commands and groups of commands, each in the module of its name."""

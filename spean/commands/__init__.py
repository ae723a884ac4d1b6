"""What each command does, one module a group of commands, imported only when the command is given."""

"""How a command is read. Start at script.py; statement.py walks the tree; everything else is a pure question it asks."""

"""The parts made as the settings say: one module for each part, for app.py and for commands that need one of them."""

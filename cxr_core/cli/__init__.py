"""Thin commands over the rest; each module is one command."""

"""A module for each tool that can be connected."""

"""`taximeter connect`: what a tool has to be told, so that it tells what it does."""

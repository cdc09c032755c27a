"""What the collector says of itself: metrics, declared in one place, and logs."""

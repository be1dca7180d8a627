"""What benchmarks have in common; no benchmark itself, so it stands below them."""

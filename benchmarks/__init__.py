"""Speed of the parts, each beside the bare library call that is its limit: `python -m benchmarks`."""

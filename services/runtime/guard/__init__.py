"""What stands before every route: limits (`limits`, `bodies`, `buckets`), headers (`headers`)."""

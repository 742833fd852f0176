"""A folder of documents as a post would send them, each with what is right for it."""

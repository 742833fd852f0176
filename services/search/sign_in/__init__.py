"""How people get in and out: by a key, a link that opens the pages once, or ProConnect."""

"""Who may do what: callers known by their keys (`gate`), what they may see of a note (`rights`)."""

"""classify: gives each note its tags, with the evidence for them."""

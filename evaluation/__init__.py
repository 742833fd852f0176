"""Quality of what the classifier finds, measured on labelled texts."""

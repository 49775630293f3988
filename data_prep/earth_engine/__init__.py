"""Places and recipes to answers of Earth Engine, and answers to records."""

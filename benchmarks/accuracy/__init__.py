"""The accuracy benchmark: everything trained, scored and put in one table."""

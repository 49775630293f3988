"""The SavedModel: preprocessing inside, card beside, regions mapped."""

"""Bands, record schema, normalisation, augmentation, input pipeline."""

"""Buildings and roads at 50 cm from free 10 m Sentinel-2 images."""

__version__ = "0.1.0"

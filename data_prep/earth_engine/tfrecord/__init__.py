"""Earth Engine's own TFRecord exports and their mixer, read and written."""

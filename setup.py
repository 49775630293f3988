"""Lets Beam stage the package (`--setup_file=./setup.py`)."""

import setuptools

setuptools.setup()

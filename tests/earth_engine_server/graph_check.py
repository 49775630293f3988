"""Placeholder until the real check lands."""


def check_expression(expression):
    """Nothing yet."""

"""An answer of the server that is an error."""


class Refusal(Exception):  # noqa: N818, the service says no
    """An HTTP error with Earth Engine's words."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status

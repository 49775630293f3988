"""The HTTP transport of the `ee` client: one pool, as wide as the requests.

The client's own session keeps ten connections; with forty requests at one
time the other thirty would shake hands anew each time.
"""

from typing import Any

import httplib2
import requests
import requests.adapters
import urllib3.exceptions


class PooledTransport:
    """What `ee.Initialize(http_transport=...)` takes: a `request` method.

    Safe for threads. Answers are read whole; one that ends early raises.
    """

    def __init__(self, *, connections: int, timeout_s: float) -> None:
        """Makes the pool.

        Args:
          connections: Kept open at one time.
          timeout_s: Of silence, while connecting or between two packets.
        """
        self._timeout_s = timeout_s
        self._session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(
            pool_connections=1, pool_maxsize=connections, pool_block=False
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, adapter)

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: str | None = None,
        headers: dict[str, str] | None = None,
        **_: Any,
    ) -> tuple[httplib2.Response, bytes]:
        """Asks once, with the words of httplib2.

        Raises:
          ConnectionError: The line was cut, or the answer was.
          TimeoutError: Nothing came for too long.
        """
        try:
            with self._session.request(
                method,
                uri,
                data=body,
                headers=headers,
                timeout=self._timeout_s,
                stream=True,
            ) as answer:
                # In one piece: by default a megabyte comes in a hundred.
                content = answer.raw.read(decode_content=True)
        except urllib3.exceptions.ReadTimeoutError as error:
            raise TimeoutError(
                f"no answer for {self._timeout_s:g} s"
            ) from error
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionError(str(error)) from error
        except requests.exceptions.Timeout as error:
            raise TimeoutError(
                f"no answer for {self._timeout_s:g} s"
            ) from error
        except requests.exceptions.RequestException as error:
            raise ConnectionError(str(error)) from error
        found = {key.lower(): value for key, value in answer.headers.items()}
        if found.pop("content-encoding", None):
            # The body is unpacked already; the length of the packed misleads.
            found["content-length"] = str(len(content))
        found["status"] = str(answer.status_code)
        response = httplib2.Response(found)
        # What errors say whose body does not: "Bad Gateway", by default "Ok".
        response.reason = answer.reason
        return response, content

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

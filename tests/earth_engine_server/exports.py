"""Batch exports: operations that go their way as they are looked at.

    PENDING -> RUNNING -> SUCCEEDED | FAILED | CANCELLED

Files are written into `settings.bucket`, if there is one, when an operation
succeeds.
"""

import copy
import dataclasses
import re
import secrets
import threading
import urllib.parse

from tests.earth_engine_server.export_files import write_export
from tests.earth_engine_server.export_request import read_request
from tests.earth_engine_server.refusal import Refusal

# The words of the real service.
_QUEUE_FULL = (
    "Too many tasks already in the queue ({limit}). Please wait for some of "
    "them to complete."
)
_TOO_LARGE = (
    "Export too large: specified {pixels} pixels (max: {limit}). Specify "
    "higher maxPixels value if you intend to export a large area."
)
_TYPE = "type.googleapis.com/google.earthengine.v1.OperationMetadata"
_TIME = "2024-05-01T00:00:00.000000Z"


class Exports:
    """All operations of a server; safe for threads."""

    def __init__(self, settings):
        self.settings = settings
        self.operations = {}
        self.started = []  # descriptions, one for each export that began
        self.refused = 0
        self._by_request = {}
        self._requests = {}
        self._faults = list(settings.export_faults)
        self._lock = threading.Lock()

    def start(self, content, project):
        """Begins an export; a request id that came before begins none."""
        with self._lock:
            fault = self._faults.pop(0) if self._faults else None
            if isinstance(fault, int):
                self.refused += 1
                raise Refusal(fault, "An internal error has occurred")
            operation = copy.deepcopy(self._start(content, project))
            if fault == "lost":  # it has begun, but nobody is told
                raise Refusal(503, "The service is currently unavailable.")
            return operation

    def get(self, path):
        """One operation, or a page of them."""
        url = urllib.parse.urlsplit(path)
        name = _name(url.path)
        with self._lock:
            if not name.endswith("/operations"):
                return copy.deepcopy(self._advance(self._find(name)))
            query = dict(urllib.parse.parse_qsl(url.query))
            first = int(query.get("pageToken", 0))
            size = int(query.get("pageSize", 100))
            listed = [
                operation
                for key, operation in reversed(self.operations.items())
                if key.startswith(f"{name}/")
            ]
            page = [
                copy.deepcopy(self._advance(operation))
                for operation in listed[first : first + size]
            ]
            answer = {"operations": page} if page else {}
            if first + size < len(listed):
                answer["nextPageToken"] = str(first + size)
            return answer

    def cancel(self, path):
        """Ends an operation that is not at its end."""
        with self._lock:
            operation = self._find(_name(path).removesuffix(":cancel"))
            if not operation.get("done"):
                self._end(operation, "CANCELLED", "Cancelled by user.")
            return {}

    def _start(self, content, project):
        request = read_request(content)
        if request.request_id and request.request_id in self._by_request:
            if self.settings.refuse_duplicates:
                raise Refusal(409, "A request with this ID was made before.")
            return self.operations[self._by_request[request.request_id]]
        waiting = sum(not o.get("done") for o in self.operations.values())
        if waiting >= self.settings.queue_limit:
            self.refused += 1
            raise Refusal(
                429, _QUEUE_FULL.format(limit=self.settings.queue_limit)
            )
        task = secrets.token_hex(12).upper()
        operation = {
            "name": f"{project}/operations/{task}",
            "metadata": {
                "@type": _TYPE,
                "state": "PENDING",
                "description": request.description,
                "type": "EXPORT_IMAGE",
                "createTime": _TIME,
                "updateTime": _TIME,
            },
        }
        self.operations[operation["name"]] = operation
        self._by_request[request.request_id] = operation["name"]
        self._requests[operation["name"]] = [request, 0]
        self.started.append(request.description)
        return operation

    def _find(self, name):
        if name not in self.operations:
            raise Refusal(404, f"Operation {name} not found.")
        return self.operations[name]

    def _advance(self, operation):
        """One step further each `export_polls` questions."""
        entry = self._requests[operation["name"]]
        entry[1] += 1
        if operation.get("done") or entry[1] % self.settings.export_polls:
            return operation
        metadata, request = operation["metadata"], entry[0]
        if metadata["state"] == "PENDING":
            metadata["state"] = "RUNNING"
            metadata["startTime"] = _TIME
            return operation
        pixels = request.image.width * request.image.height
        bad = [
            word
            for word in self.settings.failed_exports
            if word in request.description
        ]
        if pixels > request.max_pixels:
            message = _TOO_LARGE.format(pixels=pixels, limit=request.max_pixels)
            self._end(operation, "FAILED", message)
        elif bad:
            self._end(operation, "FAILED", "User memory limit exceeded.")
        else:
            if self.settings.bucket:
                write_export(
                    self._with_margins(request),
                    self.settings.bucket,
                    frames_missing=self.settings.frames_missing,
                    depth_last=self.settings.depth_last,
                )
            self._end(operation, "SUCCEEDED", "")
            metadata["destinationUris"] = [
                "https://console.developers.google.com/storage/browser/"
                f"{request.bucket}/{request.prefix.rpartition('/')[0]}/"
            ]
        return operation

    def _with_margins(self, request):
        if not self.settings.whole_margins:
            return request
        return dataclasses.replace(
            request,
            margin_width=2 * request.margin_width,
            margin_height=2 * request.margin_height,
        )

    def _end(self, operation, state, message):
        operation["metadata"]["state"] = state
        operation["done"] = True
        if message:
            operation["error"] = {"code": 3, "message": message}
        else:
            operation["response"] = {"@type": "google.protobuf.Empty"}


def read_project(path):
    """projects/p of /v1/projects/p/image:export."""
    return _name(path).rpartition("/")[0]


def _name(path):
    """projects/p/operations/X of /v1/projects/p/operations/X."""
    return re.sub(r"^/v1\w*/", "", urllib.parse.unquote(path))

"""The package index, as uv asks it."""

import os

OUT_OF_REACH = ("Failed to fetch", "error sending request", "dns error", "Connection refused")


def index_of_pip():
    """For uv, the index and the certificates that pip is set to."""
    pairs = {"UV_DEFAULT_INDEX": "PIP_INDEX_URL", "SSL_CERT_FILE": "PIP_CERT"}
    return {uv: os.environ[pip] for uv, pip in pairs.items() if pip in os.environ}

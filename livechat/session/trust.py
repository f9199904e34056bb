"""Whom a link trusts, and by which files: each is tried before the first dial, so that a wrong one is named."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from livechat.errors import ConfigError, UsageError


def context(ca_pem: str | None, ca_file: str | None) -> ssl.SSLContext | None:
    """A context that trusts these certificates alone; None where neither is given. Raises UsageError for the file."""
    if ca_pem is None and ca_file is None:
        return None
    try:
        return ssl.create_default_context(cadata=ca_pem, cafile=None if ca_pem else ca_file)
    except (OSError, ValueError) as e:
        raise UsageError(
            f"cannot read the certificate {ca_file}: {_reason(e)}",
            "--ca-file takes the PEM that `livechat serve --ca-out` wrote",
        ) from None


def check_environment(environ: Mapping[str, str]) -> None:
    """The certificates that OpenSSL's variables name. Raises ConfigError for what holds none."""
    _check_bundle(environ, "SSL_CERT_FILE")
    if paths := environ.get("SSL_CERT_DIR"):
        folders = paths.split(os.pathsep)
        if not any(_is_folder(path) for path in folders):
            raise _unfit("SSL_CERT_DIR", folders[0], "there is no such folder", "a folder of certificates")


def check_credentials(environ: Mapping[str, str]) -> None:
    """The file of Vertex AI's credentials, and whom the request for a token trusts. Raises ConfigError."""
    # `requests`, which fetches the token, takes a folder as well, and the first of these that is set.
    variable = "REQUESTS_CA_BUNDLE" if environ.get("REQUESTS_CA_BUNDLE") else "CURL_CA_BUNDLE"
    if not _is_folder(environ.get(variable, "")):
        _check_bundle(environ, variable)
    path = environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if not path:
        return
    try:
        held = json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else "it is not JSON"
    else:
        if isinstance(held, dict) and held.get("type"):
            return
        reason = "it holds no credentials"
    raise _unfit("GOOGLE_APPLICATION_CREDENTIALS", path, reason, "a JSON file of credentials")


def _check_bundle(environ: Mapping[str, str], variable: str) -> None:
    if path := environ.get(variable):
        try:
            ssl.create_default_context(cafile=path)
        except (OSError, ValueError) as e:
            raise _unfit(variable, path, _reason(e), "a PEM file of certificates") from None


def _unfit(variable: str, path: str, reason: str, wanted: str) -> ConfigError:
    return ConfigError(f"{variable}: cannot use {path!r}: {reason}", f"set {variable} to {wanted}, or unset it")


def _reason(error: Exception) -> str:
    # An SSLError is an OSError, whose strerror is OpenSSL's own word and line number.
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.strerror:
        return error.strerror
    return "it holds no certificate in PEM"


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False

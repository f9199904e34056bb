"""The certificates that a link trusts, and the files of credentials: each is read before the first dial.

So a file that cannot be used is named, instead of failing as a connection.
"""

import json
import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from livechat.errors import ConfigError, UsageError


def context(ca_pem: str | None, ca_file: str | None) -> ssl.SSLContext | None:
    """A context that trusts only these certificates, or None if none are given. Raises UsageError for a bad file."""
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
    """Read the certificates that OpenSSL's variables name. Raises ConfigError where there are none."""
    if path := environ.get("SSL_CERT_FILE"):
        _check_certificates("SSL_CERT_FILE", path)
    if paths := environ.get("SSL_CERT_DIR"):
        folders = paths.split(os.pathsep)
        if not any(_is_folder(path) for path in folders):
            raise _unfit("SSL_CERT_DIR", folders[0], "there is no such folder", "a folder of certificates")


def check_credentials(environ: Mapping[str, str]) -> None:
    """Read the files that fetching Vertex AI's tokens needs. Raises ConfigError for one that cannot be used."""
    # requests, which fetches them, reads the first of these that is set.
    bundle = next((name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if environ.get(name)), "")
    if bundle and not _is_folder(environ[bundle]):
        _check_certificates(bundle, environ[bundle])
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


def _check_certificates(variable: str, path: str) -> None:
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as e:
        raise _unfit(variable, path, _reason(e), "a PEM file of certificates") from None


def _unfit(variable: str, path: str, reason: str, wanted: str) -> ConfigError:
    return ConfigError(f"{variable}: cannot use {path!r}: {reason}", f"set {variable} to {wanted}, or unset it")


def _reason(error: Exception) -> str:
    # An SSLError is an OSError too, but its strerror is a word of OpenSSL's and a line number.
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.strerror:
        return error.strerror
    return "it holds no certificate in PEM"


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False

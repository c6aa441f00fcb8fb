"""Files of strangers that have no end, where a command expects a key or a deployment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assay_node.chain import Deployment, DeploymentError
from assay_node.cli.commands.verify import _verify_file
from assay_node.client import ProofFile
from assay_node.errors import AssayError


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    path = tmp_path / "proof.json"
    ProofFile(vk_hash=bytes(32), public=(1,), proof=bytes(256)).write(path)
    return path


def test_a_pipe_in_the_place_of_a_bundles_verifying_key_is_refused(proof: Path, tmp_path: Path) -> None:
    """Reading it would wait for ever."""
    (tmp_path / "bundle").mkdir()
    os.mkfifo(tmp_path / "bundle" / "verifying.key")
    with pytest.raises(AssayError, match=r"no file verifying\.key"):
        _verify_file(proof, tmp_path / "bundle", None, json=False)


def test_a_verifying_key_without_end_is_not_read_to_its_end(proof: Path, tmp_path: Path) -> None:
    """A device says that it has no bytes at all."""
    with pytest.raises(AssayError, match="too large for a verifying key"):
        _verify_file(proof, Path("/dev/zero"), None, json=False)
    with (tmp_path / "large.key").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(AssayError, match="too large for a verifying key"):
        _verify_file(proof, tmp_path / "large.key", None, json=False)


@pytest.mark.parametrize("text", ['{"version": 1, "version": 1}', "[" * 5000, "\udcff", "{}"])
def test_a_deployment_file_is_read_strictly(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deployment.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DeploymentError, match="is no deployment file"):
        Deployment.load(path)


def test_a_deployment_file_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(DeploymentError, match="is no deployment file"):
        Deployment.load(Path("/dev/zero"))

"""Bundles made once; a test that changes one takes a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from assay_prover import Bundle
from unit.prover.bundles import make_bundle


@pytest.fixture(scope="session")
def bc(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Private input, encrypted output, plain mode."""
    return make_bundle("bc_mlp", tmp_path_factory.mktemp("bundles") / "bc")


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Public input and output."""
    return make_bundle(
        "digits_mlp", tmp_path_factory.mktemp("bundles") / "digits", input="public", output="public"
    )


@pytest.fixture
def copy(bc: Bundle, tmp_path: Path) -> Path:
    """A bundle to damage."""
    return Path(shutil.copytree(bc.path, tmp_path / "copy"))

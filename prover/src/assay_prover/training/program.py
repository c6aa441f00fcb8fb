"""A training program as people write it: `train.toml`, a recipe and the schema of its data.

    name = "diagnosis"
    rows = 455
    epochs = 100
    shifts = [7]          # learning rate 2^-7 in the units of weight and gradient, or one for each epoch
    hidden = []           # units of hidden layers; none is a logistic regression
    # batch = 65          # rows of a step; left out: all of them
    # [scales]            # bits and binary points; see assay_prover.reference.training.Recipe

The schema is a file beside it, `schema.toml`, as `assay data schema` writes it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from assay_prover import strict_json
from assay_prover.data import Schema
from assay_prover.errors import InputError
from assay_prover.reference.training import Recipe

OF_RUN = ("rows", "epochs", "batch", "hidden", "shifts", "seed")
OF_SCALES = tuple(
    field.name
    for field in fields(Recipe)
    if field.name.endswith(("_bits", "_fraction")) and field.name != "data_bits"
)


@dataclass(frozen=True)
class Program:
    """A recipe and what its data mean.

    Attributes:
        name: of the program.
        recipe: everything about the run but the data.
        schema: of the tables that it takes, with a label.
    """

    name: str
    recipe: Recipe
    schema: Schema

    def __post_init__(self) -> None:
        """Check that they fit each other. Raises `InputError`."""
        recipe, schema = self.recipe, self.schema
        if schema.label is None:
            raise InputError("the schema has no label: there is nothing to learn")
        found = (len(schema.features), schema.classes, schema.bits)
        if found != (recipe.features, recipe.classes, recipe.data_bits):
            raise InputError(
                f"the schema has {found[0]} features, {found[1]} classes and {found[2]} bits, the program "
                f"{recipe.features}, {recipe.classes} and {recipe.data_bits}"
            )

    @classmethod
    def of(cls, name: str, schema: Schema, rows: int, settings: Mapping[str, Any] | None = None) -> Program:
        """A program for `rows` rows of a schema; `settings` are fields of `Recipe` that are not its defaults.

        Raises:
            InputError: numbers that make no program.
        """
        given: dict[str, Any] = {
            "features": len(schema.features),
            "classes": schema.classes,
            "data_bits": schema.bits,
        }
        try:
            recipe = Recipe(rows=rows, **given, **(settings or {}))
        except (ValueError, TypeError) as error:
            raise InputError(f"no program can be made so: {error}") from error
        return cls(name, recipe, schema)

    @classmethod
    def read(cls, path: Path) -> Program:
        """From `train.toml` and the schema beside it. Raises `InputError` naming what is at fault."""
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(f"cannot read the program {path} ({error})") from error
        scales = document.pop("scales", {})
        known = {"name", "schema", *OF_RUN}
        for what, found, allowed in (("", document, known), ("scales.", scales, set(OF_SCALES))):
            for key in found if isinstance(found, dict) else ():
                if key not in allowed:
                    raise InputError(
                        f"{path}: unknown key {what}{key}; known are {', '.join(sorted(allowed))}"
                    )
        if not isinstance(scales, dict) or type(document.get("rows")) is not int:
            raise InputError(f"{path}: scales is a table, rows a whole number")
        settings = {key: _setting(path, key, document[key]) for key in OF_RUN[1:] if key in document}
        settings |= {key: _setting(path, key, value) for key, value in scales.items()}
        schema = Schema.read(path.parent / str(document.get("schema", "schema.toml")))
        return cls.of(
            str(document.get("name", path.parent.resolve().name)), schema, document["rows"], settings
        )

    def to_toml(self) -> str:
        """The program as a file that people edit."""
        recipe = self.recipe
        lines = [
            f"name = {strict_json.dumps(self.name)}",
            'schema = "schema.toml"',
            f"rows = {recipe.rows}  # the table has exactly so many",
            f"epochs = {recipe.epochs}",
            f"shifts = {list(recipe.shifts)}  # learning rate 2^-shift; one, or one for each epoch",
            f"hidden = {list(recipe.hidden)}  # units of hidden layers; none is a logistic regression",
            f"seed = {recipe.seed}  # of the first weights of hidden layers",
            f"batch = {recipe.batch}  # rows of a step"
            if recipe.batch
            else "# batch = 64  # rows of a step; all",
            "",
            "[scales]",
            *(f"{name} = {getattr(recipe, name)}" for name in OF_SCALES),
        ]
        return "\n".join(lines) + "\n"

    def to_json(self) -> dict[str, Any]:
        """What a manifest holds, as JSON values."""
        recipe = {field.name: _plain(getattr(self.recipe, field.name)) for field in fields(Recipe)}
        return {"name": self.name, "recipe": recipe, "schema": self.schema.to_json()}

    @classmethod
    def from_json(cls, document: Any) -> Program:
        """From what `to_json` says. Raises `InputError`."""
        if not isinstance(document, dict) or set(document) != {"name", "recipe", "schema"}:
            raise InputError("this describes no training program")
        recipe = document["recipe"]
        names = {field.name for field in fields(Recipe)}
        if not isinstance(recipe, dict) or set(recipe) != names or not isinstance(document["name"], str):
            raise InputError("this describes no training program")
        settings = {key: _setting(Path("manifest.json"), key, value) for key, value in recipe.items()}
        try:
            return cls(document["name"], Recipe(**settings), Schema.from_json(document["schema"]))
        except (ValueError, TypeError) as error:
            raise InputError(f"this describes no training program ({error})") from error


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _setting(path: Path, key: str, value: Any) -> Any:
    if key in ("hidden", "shifts"):
        if not isinstance(value, list) or any(type(each) is not int for each in value):
            raise InputError(f"{path}: {key} is a list of whole numbers")
        return tuple(value)
    if value is None and key == "batch":
        return None
    if type(value) is not int:
        raise InputError(f"{path}: {key} is a whole number")
    return value

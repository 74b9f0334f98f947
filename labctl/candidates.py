"""A user's own table of candidates, read into the pool of a space."""

from dataclasses import replace

from labctl.config import CampaignConfig
from labctl.errors import RequestError
from labctl.space import Formula, Space
from labctl.space.chemistry import refuse_no_formulas
from labctl.space.parameters import NUMERIC


def read_candidates(config: CampaignConfig) -> tuple[Space, dict[str, str]]:
    """The campaign's space, restricted to the rows of its candidate table, with that table's path and sha256.

    Raises:
        RequestError: a column is missing, a cell is unusable, or a row breaks the space's laws.
    """
    from labctl.tables import read_table  # noqa: PLC0415 - pandas is slow to import

    assert config.model.candidates is not None  # noqa: S101 - the caller looked
    path = config.beside(config.model.candidates.table)
    table = read_table(path)
    columns, parameters = {}, dict(config.model.parameters)
    for name, parameter in parameters.items():
        if name not in table.names:
            raise RequestError(
                f"has no column {name!r}, which is a parameter of {config.path.name}; it has "
                f"{', '.join(table.names)}",
                file=path,
            )
        column = table.column(name)
        if isinstance(parameter, NUMERIC):
            columns[name] = [float(v) for v in column.numbers]
        else:
            columns[name] = [str(cell) for cell in column.cells]  # type: ignore[misc]
            if isinstance(parameter, Formula) and not parameter.choices:
                choices = tuple(dict.fromkeys(column.cells))
                refuse_no_formulas(choices, file=path, key=name)
                parameters[name] = parameter.model_copy(update={"choices": choices})
    space = config.space.over(parameters)
    # What is forbidden or breaks a rule is left out of the pool, as it may be on the shelf all the same.
    shelf = replace(space, forbidden=(), rules=())
    for i, line in enumerate(table.lines):
        problems = shelf.problems({name: values[i] for name, values in columns.items()})
        if problems:
            raise RequestError(f"{problems[0]}; mend or remove this row", file=path, line=int(line))
    return space.with_pool(columns), {"path": str(table.path), "sha256": table.sha256}

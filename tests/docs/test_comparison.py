"""Each cell of the comparison has a source."""

from __future__ import annotations

from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "comparison.md").read_text()
TABLES = {
    part.partition("\n")[0]: [
        [cell.strip() for cell in row.strip("|").split(" | ")] for row in part.splitlines() if "|" in row
    ]
    for part in TEXT.split("\n## ")[2:]
}
PROJECTS = [
    "Shrine",
    "Active Storage",
    "django-s3-file-field",
    "Uppy Companion",
    "UploadThing",
    "Supabase Storage",
    "this project",
]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_each_project_and_each_cell_has_a_source(name: str) -> None:
    head, _, *rows = TABLES[name]
    assert [row[0] for row in rows] == PROJECTS
    assert {len(row) for row in rows} == {len(head)}
    others = [cell for project, *cells in rows if project != "this project" for cell in cells]
    assert [cell for cell in others if "](https://" not in cell and "not documented" not in cell] == []

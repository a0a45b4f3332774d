from pathlib import Path

from bookstall import catalogue


def test_books_are_sorted_by_title(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.yaml"
    path.write_text("- title: b\n- title: a\n")
    assert [book["title"] for book in catalogue.load(path)] == ["a", "b"]

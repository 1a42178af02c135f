"""Our project as a package in another dbt project, with dbt alone; and the installed wheel."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import PROJECT, Database

from flows.project import _link

INTEGRATION = PROJECT / "integration_tests"


@pytest.fixture
def another(tmp_path: Path) -> Path:
    """A copy of integration_tests/, which takes this clone as a package."""
    folder = tmp_path / "another"
    shutil.copytree(
        INTEGRATION, folder, ignore=shutil.ignore_patterns("dbt_packages", "target", "logs")
    )
    (folder / "packages.yml").write_text(f"packages: [{{local: {PROJECT}}}]\n")
    return folder


def dbt(database: Database, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "dbt"), *arguments],
        cwd=folder,
        env=database.os_environment(DBT_TARGET_PATH=str(folder / "target")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_table_of_another_project_on_marts_has_their_rows_in_one_build(
    empty: Database, another: Path
) -> None:
    dbt(empty, another, "deps")
    dbt(
        empty,
        another,
        *("build", "--select", "+customers_to_call+", "--indirect-selection=buildable"),
        "--exclude-resource-type=unit_test",
    )
    assert empty.value("select count(*) from reports.customers_to_call") == 3
    # replaced inputs are not built, and systems that are off do not exist
    assert empty.rows("select relname from pg_class where relname ~ '^default_'") == [
        {"relname": "default_input_shared__risk_thresholds"}
    ]


@pytest.mark.slow
def test_dbt_takes_it_from_git_by_its_tag(empty: Database, another: Path) -> None:
    repository = another.parent / "customer_health.git"
    for command in (
        ["clone", "--quiet", "--bare", str(PROJECT), str(repository)],
        ["-C", str(repository), "tag", "v-test"],
    ):
        subprocess.run(["git", *command], check=True)
    (another / "packages.yml").write_text(
        f"packages: [{{git: 'file://{repository}', revision: v-test}}]\n"
    )
    dbt(empty, another, "deps")
    assert (another / "dbt_packages" / "customer_health" / "models").is_dir()
    listed = dbt(empty, another, "ls", "--select", "+customers_to_call", "--quiet")
    assert "customer_health.orders.marts.due_to_order" in listed.splitlines()


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, installed from a wheel into a separate environment."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, PROJECT], check=True
    )
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True
    )
    [packages] = (folder / "venv").glob("lib/python*/site-packages")
    # its dependencies are installed already
    [here] = {path for path in map(Path, sys.path) if path.name == "site-packages"}
    (packages / "here.pth").write_text(f"{here}\n")
    [wheel] = folder.glob("*.whl")
    python = folder / "venv" / "bin" / "python"
    subprocess.run([*pip, "--python", python, "install", "--no-deps", wheel], check=True)
    return folder / "venv" / "bin" / "customer-health"


def run(command: Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [command, "status"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_installed_says_where_it_is_and_needs_no_clone(
    installed: Path, empty: Database, tmp_path: Path
) -> None:
    done = subprocess.run([installed, "--version"], capture_output=True, text=True, check=True)
    name, version = done.stdout.split()
    assert name == "customer-health"
    host, database = empty.environment["PGHOST"], empty.environment["PGDATABASE"]
    # a scheme and an option that other programs need
    url = f"postgresql+asyncpg://postgres:secret@/{database}?host={host}&schema=public"
    done = run(installed, tmp_path, DATABASE_URL=url)
    [first, *_] = done.stdout.splitlines()
    assert first.startswith(f"{name} {version}: database {database} on {host}, port ")
    assert "secret" not in done.stdout + done.stderr
    # the same from .env in the project's folder
    (tmp_path / "dbt_project.yml").write_text("name: mine\nprofile: customer_health\n")
    (tmp_path / ".env").write_text(f"DATABASE_URL={url}\n")
    (tmp_path / "below").mkdir()
    done = run(installed, tmp_path / "below")
    assert done.stdout.splitlines()[0] == first.partition("; project")[0] + (
        f"; project {tmp_path}"
    )


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"DATABASE_URL": "mysql://a/b"}, "DATABASE_URL must be a PostgreSQL address"),
        ({"DATABASE_URL": "postgresql://a:b/c@d/e"}, "DATABASE_URL must be a PostgreSQL"),
        ({"DATABASE_URL": "postgresql://a:p@ss/rd@d/e"}, "DATABASE_URL must be a PostgreSQL"),
        (
            {"DATABASE_URL": "postgresql://a@b/c", "PGDATABASE": "d"},
            "DATABASE_URL and PGDATABASE differ; unset one of them",
        ),
        ({"PGPORT": "a"}, "PGPORT is a; it must be 1 to 65535"),
    ],
)
def test_an_address_that_is_none_is_one_line_without_a_password(
    tmp_path: Path, environment: dict[str, str], reason: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flows", "status"],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert reason in line


def test_commands_in_a_new_folder_link_the_package_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("flows.project.PROJECT", tmp_path)
    package = tmp_path / "dbt_packages" / "customer_health"
    with ThreadPoolExecutor(8) as commands:
        for _ in range(50):
            list(commands.map(_link, [package] * 8))
            assert package.resolve() == PROJECT
            package.unlink()
    assert list(tmp_path.iterdir()) == [package.parent]


def test_a_project_without_a_database_starts_none(tmp_path: Path) -> None:
    """The demo's embedded database is only for those who try the demo."""
    (tmp_path / "dbt_project.yml").write_text("name: mine\nprofile: customer_health\n")
    (tmp_path / "dbt_packages").mkdir()
    (tmp_path / "dbt_packages" / "customer_health").symlink_to(PROJECT)
    alone = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}

    def status() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flows", "status"],
            cwd=tmp_path,
            env=alone,
            capture_output=True,
            text=True,
            check=False,
        )

    done = status()
    assert done.returncode == 2
    assert done.stderr.startswith("error: no database is set: set DATABASE_URL")
    assert not (tmp_path / ".local").exists()
    # nor a project whose name cannot be read
    (tmp_path / ".env").write_bytes("PGDATABASE=caf\xe9".encode("latin-1"))
    done = status()
    assert (done.returncode, done.stderr) == (
        2,
        f"error: {tmp_path / '.env'}: must be UTF-8\n",
    )

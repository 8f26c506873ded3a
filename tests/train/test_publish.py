"""Publishing to and downloading from a local Hub by the unmodified huggingface_hub client, over HTTP."""

from __future__ import annotations

import json
import os
import pickle
import posixpath
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
import torch
from huggingface_hub import HfApi, ModelCard
from packaging.requirements import Requirement
from packaging.version import Version

from flower_alexnet import FlowerClassifier
from tests.support import PROJECT
from tests.support.commands import run_module
from tests.support.hub import LARGE, File, Hub, Repo, serve_hub
from tests.support.photos import drawn_flower
from train.publish import Described, model_files, published_card, space_files

TOKENS = {"hf_ann": "ann", "hf_bob": "bob"}
SHIPPED = PROJECT / "weights" / "alexnet-baseline"


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Serve an empty Hub that knows the users Ann and Bob."""
    with serve_hub() as server:
        server.tokens |= TOKENS
        yield server


@pytest.fixture
def environment(hub: Hub, tmp_path: Path) -> dict[str, str]:
    """Return the environment variables of Ann, who is logged in to the local Hub."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return {
        **kept,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_TOKEN": "hf_ann",
        "HF_HUB_DISABLE_XET": "1",  # the large-file protocol, not the Hub's own storage service
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copy a shipped model folder, which the test may change."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "alexnet-baseline"))


def publish(environment: dict[str, str], *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    made = () if arguments[:1] != ("model",) or "--onnx" in arguments else ("--no-onnx",)  # it takes seconds to make
    words = ("train.publish", *arguments, *made)
    return run_module("tests.support.impatience", *words, environment={**environment, **changes})


def classify(environment: dict[str, str], repo: str, photo: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    words = ("flower_alexnet", "classify", photo, "--json", "--model", repo)
    return run_module("tests.support.impatience", *words, environment={**environment, **changes})


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    drawn_flower("tulips", size=(300, 260)).save(tmp_path / "tulip.png")
    return tmp_path / "tulip.png"


def test_published_model_gives_the_same_probabilities_to_the_last_bit(
    hub: Hub, environment: dict[str, str], photo: Path
) -> None:
    result = publish(environment, "model", str(SHIPPED), "ann/flowers", "--tag", "v1")
    assert result.returncode == 0, result.stderr
    repo = hub.repos["model", "ann/flowers"]
    assert result.stdout.strip() == f"{hub.url}/ann/flowers/commit/{repo.branches['main']}"
    assert len(repo.commits) == 2  # the empty repository, and one commit
    assert repo.tags == {"v1": repo.branches["main"]}

    answer = classify(environment, "ann/flowers", photo, HF_TOKEN="")
    assert answer.returncode == 0, answer.stderr
    expected = FlowerClassifier.from_pretrained(SHIPPED)(photo)
    row = json.loads(answer.stdout)[0]
    assert {entry["label"]: entry["probability"] for entry in row["top"]} == expected.probabilities
    assert {path for path, _ in hub.downloads} == {"config.json", "model.safetensors"}

    hub.downloads.clear()
    offline = classify(environment, "ann/flowers", photo, HF_HUB_OFFLINE="1")
    assert json.loads(offline.stdout) == json.loads(answer.stdout)
    assert hub.downloads == []


def test_publishing_again_uploads_nothing_twice(hub: Hub, environment: dict[str, str], folder: Path) -> None:
    for _ in range(2):
        result = publish(environment, "model", str(folder), "ann/flowers")
        assert result.returncode == 0, result.stderr
    repo = hub.repos["model", "ann/flowers"]
    assert len(hub.uploads) == 1
    assert len(repo.commits) == 2  # nothing had changed: no commit more
    (folder / "metrics.json").write_text("{}")
    assert publish(environment, "model", str(folder), "ann/flowers", "--revision", "trial").returncode == 0
    assert len(hub.uploads) == 1
    assert repo.commits[repo.branches["trial"]]["metrics.json"].content == b"{}"
    assert repo.commits[repo.branches["main"]]["metrics.json"].content != b"{}"


def test_private_repository_is_hidden_from_others(
    hub: Hub, environment: dict[str, str], folder: Path, photo: Path
) -> None:
    assert publish(environment, "model", str(folder), "ann/secret", "--private").returncode == 0
    for token in ("hf_bob", ""):
        result = classify(environment, "ann/secret", photo, HF_TOKEN=token)
        assert result.returncode == 2
        assert "or it is private" in result.stderr
        assert_no_traceback_nor_token(result)
    assert classify(environment, "ann/secret", photo).returncode == 0


def test_user_without_write_access_is_refused(hub: Hub, environment: dict[str, str], folder: Path) -> None:
    for token in ("hf_bob", "hf_wrong", ""):
        result = publish(environment, "model", str(folder), "ann/flowers", HF_TOKEN=token)
        assert result.returncode == 2
        assert "hf auth login" in result.stderr
        assert_no_traceback_nor_token(result)
    assert hub.repos == {}


def test_dry_run_lists_and_touches_nothing(hub: Hub, environment: dict[str, str]) -> None:
    offline = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    result = publish(environment, "model", str(SHIPPED), "someone/flower-alexnet", "--dry-run", **offline)
    assert result.returncode == 0, result.stderr
    for file in SHIPPED.iterdir():
        if file.name not in ("README.md", "model.onnx"):
            assert f"{file.stat().st_size:,}  {file.name}" in result.stdout
    assert "  README.md" in result.stdout
    assert "model.onnx" not in result.stdout
    result = publish(environment, "space", "someone/flowers", "--dry-run", HF_TOKEN="", **offline)
    listed = {line.split()[-1] for line in result.stdout.splitlines()[:-1]}
    assert {"app.py", "README.md", "requirements.txt", "flower_alexnet/model.py", "pyproject.toml"} <= listed
    assert not any(name.startswith(".") or "__pycache__" in name or name.endswith(".onnx") for name in listed)
    assert result.returncode == 2  # as without --dry-run
    assert "There is no token" in result.stderr
    assert_no_traceback_nor_token(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tulips"], "write USER/tulips"),
        (["ann/tulips/v1"], "is written user/name"),
        (["ann/tulips", "--tag", "v 1"], "'v 1' cannot be the name of a branch or tag"),
        (["ann/tulips", "--revision", "a..b"], "cannot be the name of a branch or tag"),
        (["ann/tulips", "--space", "space"], "write USER/space"),
        (["ann/tulips", "--space", "ann/space", "--source", "https://x/y.whl"], "not both"),
        (["ann/tulips", "--source", 'a" b'], "cannot stand in a line of a shell"),
    ],
)
@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]])
def test_wrong_name_is_refused_before_anything_is_made(
    arguments: list[str], message: str, dry_run: list[str], hub: Hub, environment: dict[str, str]
) -> None:
    result = publish(environment, "model", "alexnet-baseline", *arguments, *dry_run)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert hub.repos == {}


def test_existing_tag_is_refused_before_a_branch_is_made(hub: Hub, environment: dict[str, str], folder: Path) -> None:
    assert publish(environment, "model", str(folder), "ann/flowers", "--tag", "v1").returncode == 0
    result = publish(environment, "model", str(folder), "ann/flowers", "--tag", "v1", "--revision", "trial")
    assert result.returncode == 2
    assert "has a tag v1 already" in result.stderr
    assert list(hub.repos["model", "ann/flowers"].branches) == ["main"]


def test_shipped_name_is_found_from_any_folder(environment: dict[str, str], tmp_path: Path) -> None:
    def dry_run(name: str) -> subprocess.CompletedProcess[str]:
        variables = {**environment, "HF_ENDPOINT": "http://127.0.0.1:9"}
        arguments = ("model", name, "ann/flowers", "--dry-run")
        return run_module("train.publish", *arguments, environment=variables, folder=tmp_path)

    assert "model.safetensors" in dry_run("alexnet-baseline").stdout
    for name, message in (("alexnet-b", "There is no model alexnet-b."), ("runs/x", "There is no folder runs/x.")):
        result = dry_run(name)
        assert result.returncode == 2
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_what_a_stopped_run_left_is_not_published(folder: Path) -> None:
    names = set(model_files(folder))
    (folder / ".lock").touch()
    for name in ("checkpoint.safetensors", "checkpoint.safetensors.part", "model.onnx", "model.onnx.part"):
        (folder / name).write_text("left over")
    assert set(model_files(folder)) == names


def test_model_that_was_killed_while_it_was_written_is_not_published(
    folder: Path, hub: Hub, environment: dict[str, str]
) -> None:
    """Some of its files may be those of an earlier export."""
    (folder / "model.part").mkdir()
    (folder / "model.part" / "README.md").write_text("left over")
    for name, message in (
        (folder, "model.part was left by a process"),
        (folder / "model.part", "left by a stopped run"),
    ):
        for options in ([], ["--dry-run"]):
            result = publish(environment, "model", str(name), "ann/flowers", *options)
            assert result.returncode == 2
            assert message in result.stderr
            assert len(result.stderr.splitlines()) == 1
    assert hub.repos == {}


OTHERS = {
    **{f"protocol{number}.bin": pickle.dumps([1.5, "x"], number) for number in range(pickle.HIGHEST_PROTOCOL + 1)},
    "protocol4.json": pickle.dumps([1.5, "x"], 4),
    "weights.tar": bytes(257) + b"ustar" + bytes(250),
    "weights.zip": b"PK\x05\x06" + bytes(18),
    "picture.png": pickle.dumps("x", 2),
    "no_suffix": b"text",
    "program.py": b"print(1)",
}
"""Files that do not belong into a model folder."""


def test_incomplete_folder_is_refused(hub: Hub, environment: dict[str, str], folder: Path) -> None:
    def refused(message: str) -> None:
        result = publish(environment, "model", str(folder), "ann/flowers")
        assert result.returncode == 2
        assert message in result.stderr
        assert_no_traceback_nor_token(result)

    torch.save({"weight": torch.zeros(2)}, folder / "notes.txt")
    refused("notes.txt is no file of a model folder")
    (folder / "notes.txt").unlink()
    for name, content in OTHERS.items():
        (folder / name).write_bytes(content)
        refused(f"{name} is no file of a model folder")
        (folder / name).unlink()
    card = ModelCard.load(folder / "README.md")
    card.data.eval_results = None
    card.save(folder / "README.md")
    refused("does not say how accurate")
    (folder / "README.md").unlink()
    refused("is no model card")
    (folder / "model.safetensors").write_bytes(b"cut")
    refused("is damaged")
    assert hub.repos == {}


def test_connection_cut_while_uploading_publishes_nothing_and_the_retry_succeeds(
    hub: Hub, environment: dict[str, str], folder: Path
) -> None:
    hub.cuts = [2**20] * 6  # the client itself tries six times
    result = publish(environment, "model", str(folder), "ann/flowers")
    assert result.returncode == 2
    assert "Run the command again" in result.stderr
    assert_no_traceback_nor_token(result)
    repo = hub.repos["model", "ann/flowers"]
    assert len(repo.commits) == 1
    assert all(len(hub.objects[oid]) < LARGE for oid in hub.uploads)
    assert publish(environment, "model", str(folder), "ann/flowers").returncode == 0
    assert "model.safetensors" in repo.commits[repo.branches["main"]]


def test_connection_cut_while_downloading_leaves_nothing_half_and_the_retry_goes_on(
    hub: Hub, environment: dict[str, str], folder: Path, photo: Path
) -> None:
    assert publish(environment, "model", str(folder), "ann/flowers").returncode == 0
    hub.cuts = [20 * 2**20] * 20
    result = classify(environment, "ann/flowers", photo)
    assert result.returncode == 2
    assert "could not be downloaded" in result.stderr
    assert_no_traceback_nor_token(result)
    assert not list(Path(environment["HF_HOME"]).rglob("model.safetensors"))
    hub.cuts.clear()
    hub.downloads.clear()
    assert classify(environment, "ann/flowers", photo).returncode == 0
    stored = next(Path(environment["HF_HOME"]).rglob("model.safetensors"))
    assert stored.read_bytes() == (folder / "model.safetensors").read_bytes()


def test_space_holds_what_it_needs(hub: Hub, environment: dict[str, str]) -> None:
    result = publish(environment, "space", "ann/flowers")
    assert result.returncode == 0, result.stderr
    repo = hub.repos["space", "ann/flowers"]
    assert repo.sdk == "gradio"
    files = repo.commits[repo.branches["main"]]
    for name in ("app.py", "flower_alexnet/__init__.py", "weights/alexnet-baseline/config.json"):
        assert files[name].content == (PROJECT / name).read_bytes()
    assert files["weights/alexnet-baseline/model.safetensors"].large
    assert dead_links({name: file.content for name, file in files.items()}) == []

    old = File(b"{}", large=False)
    repo.commit({**files, "weights/old/config.json": old, "notes.md": old}, "main")
    assert publish(environment, "space", "ann/flowers").returncode == 0
    assert set(repo.commits[repo.branches["main"]]) == {*files, "notes.md"}


def test_publisher_gives_title_license_and_language() -> None:
    folder = PROJECT / "weights" / "alexnet-baseline"
    text = published_card(folder, "ann/flowers", described=Described("Blumen", "cc-by-4.0", "de")).decode()
    card = ModelCard(text)
    assert (card.data["license"], card.data["language"]) == ("cc-by-4.0", "de")
    assert "\n# Blumen\n" in text
    assert "Code: Apache-2.0. Weights: cc-by-4.0." in text
    assert card.data["eval_results"] == ModelCard.load(folder / "README.md").data["eval_results"]
    as_it_is = published_card(folder, "ann/flowers").decode()
    assert text.partition("## Use")[2] == as_it_is.partition("## Use")[2].replace(
        "Code and weights: Apache-2.0.", "Code: Apache-2.0. Weights: cc-by-4.0."
    )


def dead_links(files: dict[str, bytes]) -> list[str]:
    """Follow the relative links of README.md, and of the pages that it links to; return those that lead nowhere."""
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    pages, dead = ["README.md"], []
    for page in pages:  # grows
        links = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", files[page].decode())
        for link in links:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
            if target not in files and target not in folders:
                dead.append(f"{page}: {link}")
            elif target.endswith(".md") and target not in pages:
                pages.append(target)
    assert len(pages) > 5
    return dead


def test_space_installs_torch_for_the_cpu() -> None:
    requirements = space_files()["requirements.txt"]
    assert isinstance(requirements, bytes)
    first, *rest = requirements.decode().splitlines()
    assert first == "--extra-index-url https://download.pytorch.org/whl/cpu"
    assert rest == (PROJECT / "requirements.txt").read_text().splitlines()
    torch = Requirement(next(line for line in rest if line.startswith("torch")))
    (pinned,) = torch.specifier
    both = [pinned.version, f"{pinned.version}+cpu"]
    assert list(torch.specifier.filter(both)) == both
    assert max(both, key=Version) == f"{pinned.version}+cpu"  # pip takes the highest


def test_failed_download_says_why(
    hub: Hub, environment: dict[str, str], folder: Path, photo: Path, tmp_path: Path
) -> None:
    def refused(repo: str, message: str, **changes: str) -> None:
        result = classify(environment, repo, photo, **changes)
        assert result.returncode == 2
        assert message in result.stderr
        assert_no_traceback_nor_token(result)

    assert publish(environment, "model", str(folder), "ann/flowers").returncode == 0
    refused("ann/nothing", "no such repository on the Hub")
    refused("ann/flowers@v9", "has no branch, tag or commit v9")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architecture": "ResNet"}))
    other = Repo("ann")
    other.commit({file.name: File(file.read_bytes(), large=False) for file in folder.iterdir()}, "main")
    hub.repos["model", "ann/resnet"] = other
    refused("ann/resnet", "is not a configuration of this network (architecture")
    refused("ann/flowers", "cannot be reached", HF_ENDPOINT="http://127.0.0.1:9")
    refused("ann/flowers", "was not downloaded before", HF_HUB_OFFLINE="1")
    hub.repos["model", "ann/flowers"].gated = True
    refused("ann/flowers", "is gated", HF_TOKEN="hf_bob")


def test_pickle_in_place_of_safetensors_is_never_opened(
    hub: Hub, environment: dict[str, str], photo: Path, tmp_path: Path
) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    torch.save({"features.0.weight": Bomb()}, tmp_path / "pytorch_model.bin")
    api = HfApi(hub.url, token="hf_ann")
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    repo = Repo("ann")
    repo.commit(
        {
            "config.json": File((SHIPPED / "config.json").read_bytes(), large=False),
            "pytorch_model.bin": File((tmp_path / "pytorch_model.bin").read_bytes(), large=True),
        },
        "main",
    )
    hub.repos["model", "ann/pickle"] = repo
    assert api.file_exists("ann/pickle", "pytorch_model.bin")
    result = classify(environment, "ann/pickle", photo)
    assert result.returncode == 2
    assert "a pickle can run any program" in result.stderr
    assert not (tmp_path / "exploded").exists()
    assert [path for path, _ in hub.downloads] == ["config.json"]


def assert_no_traceback_nor_token(result: subprocess.CompletedProcess[str]) -> None:
    output = result.stdout + result.stderr
    assert "Traceback" not in output
    assert not any(token in output for token in TOKENS)
    assert "thrown while" not in result.stderr.splitlines()[-1]  # the client reports its retries before that

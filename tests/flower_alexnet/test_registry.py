"""Shipped models are listed best first, and a damaged one leaves the others usable."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from flower_alexnet import FlowerClassifier, ModelNotFound, hub, registry
from flower_alexnet.classifier import load_classifier
from flower_alexnet.model_folder import CONFIG, HEAD, WEIGHTS, identity, read_config


@pytest.fixture
def weights(random_model: Path, tmp_path: Path) -> Path:
    """Return a folder of three models: 60 % on validation, 80 %, and 90 % but with truncated weights."""
    for name, test, validation in (("fair", 0.85, 0.6), ("good", 0.75, 0.8), ("broken", 0.9, 0.9)):
        shutil.copytree(random_model, tmp_path / name)
        metrics = {"test": {"accuracy": test}, "validation": {"accuracy": validation}}
        (tmp_path / name / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"cut")
    (tmp_path / "README.md").write_text("not a model")
    return tmp_path


def test_best_first_and_unusable_last(weights: Path) -> None:
    models = registry.shipped_models(weights)
    assert [(model.name, model.test_accuracy) for model in models] == [("good", 0.75), ("fair", 0.85), ("broken", 0.9)]
    assert [model.problem is None for model in models] == [True, True, False]
    assert "damaged" in str(models[-1].problem)


def test_refusing_other_things_counts_as_much_as_accuracy(weights: Path) -> None:
    validation = {"accuracy": 0.6, "others": {"all photos": {"taken": 0.7}}}
    (weights / "fair" / "metrics.json").write_text(json.dumps({"validation": validation}))
    assert [model.name for model in registry.shipped_models(weights)] == ["fair", "good", "broken"]


def test_best_is_the_default_and_folders_are_found_by_name_and_path(weights: Path) -> None:
    assert registry.find(weights=weights) == weights / "good"
    assert registry.find("fair", weights=weights) == weights / "fair"
    assert registry.find(weights / "fair", weights=weights) == weights / "fair"


def test_path_is_never_a_shipped_model_of_that_name(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run into a folder called as a shipped model is shows its own model, and rewrites no other."""
    elsewhere = tmp_path / "elsewhere"
    own = elsewhere / "fair"
    own.mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    assert registry.find("fair", weights=weights) == weights / "fair"
    for path in ("./fair", str(own), Path("fair"), Path("./fair"), own):
        assert registry.find(path, weights=weights).resolve() == own
    monkeypatch.chdir(own)
    assert registry.find(".", weights=weights).resolve() == own
    with pytest.raises(ModelNotFound):
        registry.find("./good", weights=weights)


def test_added_folder_that_is_no_model_is_told_and_stops_nothing(
    tmp_path: Path, random_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(registry.VARIABLE, f"{tmp_path},{random_model},ann/flowers")
    unfinished, good, hub = registry.added_models()
    assert "There is no config.json" in (unfinished.problem or "")
    assert (good.problem, hub.problem, hub.folder) == (None, None, None)


def test_model_that_the_page_is_about_has_its_folder(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.ONLY, "ann/flowers")
    monkeypatch.setattr(registry.hub, "download", lambda repo_id, revision: random_model)
    (model,) = registry.first_models()
    assert (model.name, model.folder, model.problem) == ("ann/flowers", random_model, None)


def test_no_model_at_all(tmp_path: Path) -> None:
    assert registry.shipped_models(tmp_path) == []
    with pytest.raises(ModelNotFound, match="no usable model"):
        registry.find(weights=tmp_path)


def test_model_is_loaded_once() -> None:
    assert load_classifier("alexnet") is load_classifier("alexnet")
    assert load_classifier("alexnet") is not load_classifier("alexnet-bn")


def test_shipped_names_work_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert {model.name for model in registry.shipped_models()} == set(registry.SHIPPED)
    for name in registry.SHIPPED:
        assert FlowerClassifier.from_pretrained(name).config == read_config(registry.WEIGHTS / name)
    assert registry.find() == registry.WEIGHTS / registry.SHIPPED[0]  # the one that an installed package holds


@pytest.mark.parametrize("name", ["alexnet-xl", "runs", "./runs/x", "../alexnet", "/no/such/folder", ""])
def test_unknown_name_is_refused_without_asking_the_hub(
    name: str, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", connect)
    with pytest.raises(ModelNotFound) as raised:
        registry.find(name, weights=weights)
    if "/" not in name:
        assert "good, fair, broken" in str(raised.value)  # those that are there


def test_shipped_name_that_an_installation_lacks_says_how_to_get_it(weights: Path) -> None:
    for name in ("alexnet-baseline", "alexnet-seed"):
        with pytest.raises(ModelNotFound, match=r"not part of this installation.*weights/alexnet-baseline"):
            registry.find(name, weights=weights)


def test_accuracy_that_was_not_measured(random_model: Path, tmp_path: Path) -> None:
    shutil.copytree(random_model, tmp_path / "new")
    (model,) = registry.shipped_models(tmp_path)
    assert (model.name, model.test_accuracy, model.validation_accuracy) == ("new", None, None)
    assert model.problem is None


def test_old_name_finds_the_baseline() -> None:
    """Links and programs made before the model was renamed go on working."""
    old, new = load_classifier("alexnet-seed"), load_classifier("alexnet-baseline")
    assert old.config == new.config
    weights, expected = old.network.state_dict(), new.network.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert "alexnet-seed" not in [model.name for model in registry.shipped_models()]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("runs/tulps", r"Did you mean runs/tulips\?"),
        ("run/tulips", r"Did you mean runs/tulips\?"),
        ("runs/quite-another", "runs holds tulips"),
        ("runs/tulips@v1/x", "no folder"),
    ],
)
def test_mistyped_path_is_not_looked_for_on_the_hub(
    name: str, said: str, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(*_: object) -> None:
        raise AssertionError("the Hub was asked")

    monkeypatch.setattr(registry.hub, "download", download)
    (weights / "runs").mkdir()
    (weights / "good").rename(weights / "runs" / "tulips")
    monkeypatch.chdir(weights)
    with pytest.raises(ModelNotFound, match=said):
        registry.find(name, weights=weights)
    with pytest.raises(AssertionError, match="the Hub was asked"):
        registry.find("user/flowers", weights=weights)


def test_folder_for_downloads_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user has no home folder."""

    def hf_hub_download(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", "/.cache")

    monkeypatch.setattr(hub, "hf_hub_download", hf_hub_download)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", "/.cache/huggingface/hub")
    with pytest.raises(ModelNotFound, match=r"cannot be kept in /\.cache.*Permission denied.*HF_HOME.*XDG_CACHE_HOME"):
        hub.download("user/flowers")


def test_identity_is_that_of_the_contents(weights: Path, tmp_path: Path) -> None:
    known = identity(weights / "good")
    assert len(known) == 64
    shutil.copytree(weights / "good", tmp_path / "copy")
    (tmp_path / "copy" / "metrics.json").write_text("{}")
    assert identity(tmp_path / "copy") == known
    (tmp_path / "copy" / "in_distribution.safetensors").write_bytes(b"")
    assert identity(tmp_path / "copy") != known
    (tmp_path / "copy" / "config.json").unlink()
    with pytest.raises(ModelNotFound, match=r"no config\.json"):
        identity(tmp_path / "copy")


def test_weights_are_of_the_commit_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch may move between two downloads: all files come from the commit that the first one found."""
    commit = tmp_path / "0123456789abcdef"
    shutil.copytree(registry.WEIGHTS / registry.SHIPPED[0], commit)
    asked: list[tuple[str, str | None]] = []

    def download(_: str, name: str, revision: str | None = None, **_options: object) -> str:
        asked.append((name, revision))
        return str(commit / name)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    assert hub.download("ann/flowers", "main") == commit
    assert asked == [(CONFIG, "main"), (WEIGHTS, commit.name), (HEAD, commit.name)]

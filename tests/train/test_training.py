"""python -m train: it learns, is reproducible, and a resumed run gives the weights of an unbroken one."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from flower_alexnet import LABELS, FlowerClassifier, dataset
from flower_alexnet.classifier import load_classifier
from tests.support import PROJECT
from tests.support.commands import run_module
from train import checkpoint, engine, evaluate, recipes
from train.augment import size_in
from train.data import TrainingData
from train.recipes import RECIPES, InvalidRecipe, Recipe, validate
from train.teacher import Teacher

PYTHON = [sys.executable, "-m"]
SMALL = ["--size", "64", "--resize", "64", "--batch-size", "8", "--optimizer", "adam", "--seed", "3"]


def command(flowers: Path, output: Path, *options: str) -> list[str]:
    """Return a module and its arguments."""
    return ["train", "alexnet-baseline", "--data", str(flowers), "--output", str(output), *SMALL, *options]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of the runs of this file, with a cache of their own."""
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}


def run(module: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a module with its arguments."""
    return run_module(*module, environment=environment)


def run_program(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, cwd=PROJECT, env=environment, capture_output=True, text=True)


def start(module: list[str], environment: dict[str, str], *files: Path) -> subprocess.Popen[str]:
    """Start a run and wait until it has written some files."""
    arguments = [*PYTHON, *module]
    process = subprocess.Popen(arguments, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True)
    while not all(file.exists() for file in files):
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.001)
    return process


@pytest.fixture(scope="module")
def whole_run(flowers: Path, tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """Return the output of an unbroken run of four epochs."""
    output = tmp_path_factory.mktemp("runs") / "whole"
    result = run(command(flowers, output, "--epochs", "4"), environment)
    assert result.returncode == 0, result.stderr
    assert "epoch 4/4" in result.stderr
    assert "accuracy" in result.stdout
    return output


def test_run_writes_a_complete_model_folder(whole_run: Path) -> None:
    assert sorted(file.name for file in whole_run.iterdir()) == [
        "README.md",
        "config.json",
        "confusion_matrix.png",
        "history.csv",
        "metrics.json",
        "model.safetensors",
        "reliability.png",
        "training_curves.png",
    ]
    metrics = json.loads((whole_run / "metrics.json").read_text())
    assert metrics["recipe"]["size"] == 64
    assert metrics["training"]["epochs"] == len(metrics["history"]) == 4
    assert metrics["test"]["photos"] == metrics["validation"]["photos"] == 10
    assert metrics["test"]["accuracy"] == 1  # five colours are easily learnt


def test_its_metrics_are_those_of_the_files_it_wrote(whole_run: Path, flowers: Path) -> None:
    measured = evaluate.evaluate(FlowerClassifier.from_pretrained(whole_run), dataset.split(flowers)["validation"])
    stated = json.loads((whole_run / "metrics.json").read_text())["validation"]
    for one, other in zip(stated.pop("reliability"), measured.pop("reliability"), strict=True):
        assert one == pytest.approx(other)
    assert stated == measured


def test_its_model_is_loaded_as_a_shipped_one_is(whole_run: Path, flowers: Path) -> None:
    photo = flowers / "roses" / "1.jpg"
    assert FlowerClassifier.from_pretrained(whole_run)(photo).label == "roses"
    assert load_classifier(str(whole_run))(photo).label == "roses"


@pytest.mark.parametrize("begun", [checkpoint.NAME, f"{checkpoint.NAME}.part", "model.part/model.safetensors"])
def test_killed_run_resumes_to_the_same_weights(
    begun: str, whole_run: Path, flowers: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """The run is killed in an epoch, while it writes a checkpoint, or while it writes its model."""
    output = tmp_path / "killed"
    train = command(flowers, output, "--epochs", "4")
    process = start(train, environment, output / checkpoint.NAME, output / begun)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (output / "model.safetensors").exists()

    if begun == checkpoint.NAME:
        again = run(command(flowers, output, "--epochs", "4"), environment)
        assert again.returncode == 2
        assert "--resume" in again.stderr
        other = run(command(flowers, output, "--epochs", "5", "--resume"), environment)
        assert other.returncode == 2
        assert "epochs was 4, now 5" in other.stderr
    resumed = run(command(flowers, output, "--epochs", "4", "--resume"), environment)
    assert resumed.returncode == 0, resumed.stderr
    assert "epoch 1/4" not in resumed.stderr
    assert_same_weights(output, whole_run)
    assert not list(output.glob("*.part"))


def test_interrupted_run_says_how_to_resume_and_is_reproducible(
    whole_run: Path, flowers: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    output = tmp_path / "interrupted"
    process = start(command(flowers, output, "--epochs", "4"), environment, output / checkpoint.NAME)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert "--resume goes on" in errors
    assert "Traceback" not in errors
    assert run(command(flowers, output, "--epochs", "4", "--resume"), environment).returncode == 0
    assert_same_weights(output, whole_run)


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_network_learns_from_its_teacher(
    random_model: Path, flowers: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    options = ("--epochs", "1", "--teacher", str(random_model))
    for share in ("0", "1"):
        result = run(command(flowers, tmp_path / share, *options, "--distillation-weight", share), environment)
        assert result.returncode == 0, result.stderr
    weights = [load_file(tmp_path / share / "model.safetensors")["classifier.6.bias"] for share in ("0", "1")]
    assert not torch.equal(*weights)
    result = run(command(flowers, tmp_path / "none", "--teacher", "./nowhere"), environment)
    assert result.returncode == 2
    assert "There is no folder ./nowhere" in result.stderr


@pytest.mark.parametrize(
    ("photos", "expected"),
    [(2936, (64, 48, 170)), (512, (64, 48, 170)), (256, (32, 24, 170)), (52, (16, 12, 334)), (9, (16, 12, 1000))],
)
def test_recipe_of_few_photos_has_smaller_batches_and_more_epochs(photos: int, expected: tuple[int, ...]) -> None:
    recipe = recipes.fitted(RECIPES["alexnet-bn"], photos)
    assert (recipe.batch_size, recipe.outliers, recipe.epochs) == expected
    assert recipes.fitted(recipe, photos) == recipe  # which the card's command gives
    chosen = replace(RECIPES["alexnet-bn"], epochs=3)
    assert recipes.fitted(chosen, photos) == chosen


def test_recipe_for_a_given_time_takes_no_longer() -> None:
    whole = RECIPES["alexnet-bn"]
    found = [recipes.for_seconds(whole, 60 * minutes, 1.5, 45) for minutes in (1, 20, 60, 120, 10_000)]
    assert [recipe.size for recipe in found] == [96, 128, 176, 176, 176]
    assert [recipe.epochs for recipe in found][1:] == sorted([recipe.epochs for recipe in found][1:])
    for recipe, minutes in zip(found, (1, 20, 60, 120, 10_000), strict=True):
        areas = [size_in(recipe, epoch) ** 2 for epoch in range(recipe.epochs)]
        assert sum(areas) / 176**2 * 45 * 1.5 <= 60 * minutes * 1.1 or recipe.epochs == 1
        validate(recipe)
    assert replace(found[-1], resize=whole.resize) == whole  # never longer than the recipe
    baseline = recipes.for_seconds(RECIPES["alexnet-baseline"], 60, 1, 90)
    assert (baseline.size, baseline.resize, baseline.epochs) == (96, 110, 3)


def test_run_of_some_seconds_says_what_it_does_and_is_resumed(
    flowers: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    options = ["--minutes", "0.2", "--size", "128", "--resize", "128", "--batch-size", "16", "--no-others"]
    arguments = ["train", "alexnet-bn", "--data", str(flowers), "--output", str(tmp_path / "run"), *options]
    process = start(arguments, environment, tmp_path / "run" / checkpoint.NAME)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert "A step takes 0." in told
    assert "The run has epochs " in told
    other = run([*arguments, "--seed", "1", "--resume"], environment)
    assert other.returncode == 2
    assert "seed was 0, now 1" in other.stderr
    result = run([*arguments, "--resume"], environment)
    assert result.returncode == 0, result.stderr
    recipe = json.loads((tmp_path / "run" / "metrics.json").read_text())["recipe"]
    assert 1 < recipe["epochs"] < 170
    command = (tmp_path / "run" / "README.md").read_text(encoding="utf-8")
    assert f"--epochs {recipe['epochs']}" in command


def test_teacher_gives_its_probabilities(random_model: Path) -> None:
    classifier = FlowerClassifier.from_pretrained(random_model)
    images = torch.rand(2, 3, 224, 224) * 2 - 1
    with torch.inference_mode():
        expected = torch.softmax(classifier.network(images), 1)
    said = Teacher(str(random_model))(images)
    assert torch.allclose(said.probabilities, expected, atol=1e-5)
    assert said.in_distribution is None  # it has no head


def test_probabilities_of_several_teachers_are_averaged(random_model: Path, tmp_path: Path) -> None:
    folders = random_model, PROJECT / "weights" / "alexnet-bn"
    for index, folder in enumerate(folders):
        (tmp_path / str(index)).symlink_to(folder, target_is_directory=True)
    images = torch.randn(3, 3, 224, 224)
    first, second = (Teacher(str(folder))(images) for folder in folders)
    both = Teacher(str(tmp_path))(images)
    assert torch.allclose(both.probabilities, (first.probabilities + second.probabilities) / 2, atol=1e-6)
    assert second.in_distribution is not None
    assert both.in_distribution is None  # one of them cannot tell
    data = TrainingData(LABELS, [], (images, torch.zeros(3)))  # type: ignore[arg-type]
    named = engine.build_teacher(", ".join(map(str, folders)), 0, data, torch.device("cpu"))(images)
    assert torch.equal(named.probabilities, both.probabilities)
    assert named.in_distribution is None


def test_photos_that_it_gets_wrong_are_a_picture_beside_the_folder(whole_run: Path, flowers: Path) -> None:
    classifier = FlowerClassifier.from_pretrained(whole_run)
    photos = dataset.split(flowers)["test"]
    labels = dataset.find_classes(flowers)
    wrong = {photo.path for photo in photos if classifier(photo.path).label != labels[photo.target]}
    found = evaluate.mistakes(classifier, photos, labels)
    assert {mistake.path for mistake in found} == wrong
    assert [mistake.loss for mistake in found] == sorted((mistake.loss for mistake in found), reverse=True)
    picture = whole_run.with_name("whole.mistakes.png")
    assert picture.exists() is bool(wrong)
    assert "mistakes" not in {file.name for file in whole_run.iterdir()}


def test_export_deletes_what_a_killed_one_left(
    whole_run: Path, flowers: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    model = Path(shutil.copytree(whole_run, tmp_path / "model"))
    (model / "model.part").mkdir()
    for name in ("model.part/model.safetensors", "model.onnx.part"):
        (model / name).write_bytes(b"half")
    result = run(["train.export", "measure", str(model), "--data", str(flowers)], environment)
    assert result.returncode == 0, result.stderr
    assert sorted(model.iterdir()) == sorted(model / file.name for file in whole_run.iterdir())
    assert_same_weights(model, whole_run)


def test_card_summarizes_runs_of_several_seeds(
    whole_run: Path, flowers: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, seed, accuracy in ((first, 3, 0.9), (second, 4, 0.8)):
        shutil.copytree(whole_run, folder)
        summary = json.loads((folder / "metrics.json").read_text())
        summary["recipe"]["seed"], summary["test"]["accuracy"] = seed, accuracy
        (folder / "metrics.json").write_text(json.dumps(summary))
    export = ["train.export", "measure", str(first), "--data", str(flowers), "--seeds"]
    result = run([*export, str(second)], environment)
    assert result.returncode == 0, result.stderr
    assert "over 2 seeds | 90.0 ± 14.1 %" in (first / "README.md").read_text()
    assert json.loads((first / "metrics.json").read_text())["test"]["accuracy"] == 1  # measured again
    assert_same_weights(first, whole_run)
    again = run([*export, str(first)], environment)
    assert again.returncode == 2
    assert "another seed" in again.stderr


def test_nothing_to_resume(whole_run: Path, flowers: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    for output, message in ((tmp_path, "no checkpoint"), (whole_run, "finished model")):
        result = run(command(flowers, output, "--epochs", "4", "--resume"), environment)
        assert result.returncode == 2
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "0"], "epochs"),
        (["--size", "80"], "size 80 is larger than resize 64"),
        (["--inference-size", "63"], "size 64 is larger than inference_size 63"),
        (["--others", "things"], "things would not be used: with outliers 0"),
        (["--data", "/no/such/folder"], "There is no folder /no/such/folder"),
    ],
)
def test_wrong_options_are_one_line(
    flowers: Path, tmp_path: Path, environment: dict[str, str], options: list[str], message: str
) -> None:
    result = run(command(flowers, tmp_path / "out", *options), environment)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adagrad", "adam", "muon"])
def test_each_optimizer_takes_a_step_down(optimizer: str) -> None:
    torch.manual_seed(0)
    recipe = Recipe(optimizer=optimizer, weight_decay=0.1)  # type: ignore[arg-type]
    layer = torch.nn.Linear(3, 1)
    optimizers = engine.build_optimizer(layer, recipe)
    assert [group["weight_decay"] for group in optimizers.param_groups][1:] == [0.1, 0]
    losses = []
    for _ in range(5):
        loss = (layer(torch.ones(1, 3)) - 5).square().sum()
        optimizers.zero_grad()
        loss.backward()
        optimizers.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)


def test_muon_steps_a_convolution_along_each_singular_direction_alike() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(3, 8, 3, bias=False)
    before = layer.weight.detach().clone()
    optimizer = engine.build_optimizer(layer, Recipe(optimizer="muon", muon_learning_rate=0.5))
    (layer(torch.randn(4, 3, 8, 8)).square().mean()).backward()
    optimizer.step()
    step = (before - layer.weight.detach()).flatten(1) / 0.5
    singular = torch.linalg.svdvals(step)
    assert 0.6 < singular.min() < singular.max() < 1.3


def test_learning_rate_rises_then_falls_along_a_cosine() -> None:
    recipe = Recipe(epochs=12, warmup_epochs=2, cosine=True)
    rates = [engine.schedule(recipe, epoch) for epoch in (0, 1, 2, 7, 12)]
    assert rates == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert engine.schedule(Recipe(), 14.9) == 1


def test_batch_is_no_larger_than_the_photos() -> None:
    recipe = Recipe(batch_size=64)
    assert [engine.batch_size_for(recipe, photos, 1) for photos in (2936, 64, 63, 1)] == [64, 64, 63, 1]
    assert [engine.batch_size_for(recipe, photos, 4) for photos in (2936, 63, 5)] == [64, 60, 4]
    with pytest.raises(InvalidRecipe, match="3 photos to train on cannot go to 4 processes"):
        engine.batch_size_for(recipe, 3, 4)


def test_average_reaches_back_over_a_fifth_of_a_short_run() -> None:
    recipe = RECIPES["alexnet-bn"]
    assert engine.ema_decay_for(recipe, 100 * (2936 // 64)) == recipe.ema_decay == 0.998
    assert engine.ema_decay_for(recipe, 100) == 0.95
    assert engine.ema_decay_for(recipe, 2) == 0
    assert engine.ema_decay_for(Recipe(), 100) == 0


def test_recipes_are_runnable_and_documented() -> None:
    for recipe in RECIPES.values():
        assert validate(recipe) is recipe
        assert type(recipe).__doc__
        for field, value in (("dropout", 1.5), ("epochs", 0), ("batch_size", 0), ("mix_prob", 2)):
            with pytest.raises(InvalidRecipe, match=field):
                validate(replace(recipe, **{field: value}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("alias", "name"), [("baseline", "alexnet-baseline"), ("seed", "alexnet-baseline"), ("alexnet_bn", "alexnet-bn")]
)
def test_alias_stands_for_its_recipe(alias: str, name: str, environment: dict[str, str]) -> None:
    result = run(["train", alias, "--help"], environment)
    assert result.returncode == 0, result.stderr
    assert f"python -m train {name} " in result.stdout
    assert "--learning-rate" in result.stdout


def launchers() -> dict[str, str]:
    """Return the lines of train/README.md that start several processes, by the program that does it."""
    section = (PROJECT / "train" / "README.md").read_text().partition("## Several processes or machines")[2]
    lines = re.findall(r"^(?:python -m accelerate|torchrun).*$", section.partition("\n## ")[0], re.MULTILINE)
    return {"torchrun" if line.startswith("torchrun") else "accelerate": line for line in lines}


@pytest.fixture(scope="module")
def plain_run(flowers: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """Return the history of two epochs of one process in float32, without what is random in each process."""
    output = tmp_path_factory.mktemp("runs") / "plain"
    module = ["train", "alexnet-bn", "--output", str(output), "--data", str(flowers), *SMALL, *PLAIN]
    result = run(module, {**environment, **FLOAT32})
    assert result.returncode == 0, result.stderr
    return json.loads((output / "metrics.json").read_text())["history"]


PLAIN = ["--epochs", "2", "--no-others", "--dropout", "0", "--no-batch-norm", "--mix-prob", "0"]
PLAIN += ["--initial-size", "None", "--inference-size", "None"]
FLOAT32 = {"ACCELERATE_MIXED_PRECISION": "no"}


@pytest.mark.parametrize("launcher", ["accelerate", "torchrun"])
def test_printed_lines_start_two_processes(
    launcher: str, plain_run: list[dict], flowers: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """The lines as they stand, with options of a short run behind them. Equal batches give equal losses, up to the
    order in which float32 numbers are added; accelerate's line says bfloat16."""
    path = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    short = ["--data", str(flowers), *SMALL, *PLAIN]
    result = subprocess.run(
        f"{launchers()[launcher]} {shlex.join(short)}",
        shell=True,
        executable="/bin/bash",
        cwd=tmp_path,
        env={**environment, **FLOAT32, "PATH": path, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("The model is in") == 1
    metrics = json.loads((tmp_path / "runs" / "alexnet-bn" / "metrics.json").read_text())
    assert metrics["training"]["processes"] == 2
    assert "by 2 processes, each on" in (tmp_path / "runs" / "alexnet-bn" / "README.md").read_text()
    if launcher == "torchrun":
        for here, there in zip(plain_run, metrics["history"], strict=True):
            assert there["train_loss"] == pytest.approx(here["train_loss"], rel=1e-4)
            assert there["validation_loss"] == pytest.approx(here["validation_loss"], rel=1e-3)


def test_batch_must_go_to_all_processes() -> None:
    with pytest.raises(InvalidRecipe, match="9 photos cannot go to 2 processes"):
        engine.batch_size_for(Recipe(batch_size=9), 100, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--minutes", "0"], "minutes: a run takes more than 0."),
        (["--minutes", "-3"], "minutes: a run takes more than -3."),
        (["--output", "{flowers}/roses/run"], "where photos are. Choose another folder."),
        (["--output", "{flowers}"], "where photos are. Choose another folder."),
    ],
)
def test_no_time_and_a_folder_of_photos_are_refused(
    options: list[str], message: str, flowers: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    options = [option.format(flowers=flowers) for option in options]
    result = run([*command(flowers, tmp_path / "run"), *options], environment)
    assert result.returncode == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["alexnet-bm", "--output", "x"],
            "There is no recipe alexnet-bm. There are alexnet-baseline, alexnet, alexnet-bn.",
        ),
        (["alexnet-bn", "--output", "x", "--epoch", "3"], "run python -m train alexnet-bn --help"),
    ],
)
def test_mistyped_recipe_or_option_is_told_with_what_there_is(
    arguments: list[str], message: str, environment: dict[str, str]
) -> None:
    result = run(["train", *arguments], environment)
    assert result.returncode == 2
    assert message in result.stderr


def test_second_run_into_a_folder_is_refused(flowers: Path, environment: dict[str, str], tmp_path: Path) -> None:
    endless = command(flowers, tmp_path / "run", "--epochs", "1000")
    first = subprocess.Popen([*PYTHON, *endless], cwd=PROJECT, env=environment, stderr=subprocess.DEVNULL)
    try:
        while not (tmp_path / "run" / checkpoint.NAME).exists():
            assert first.poll() is None
            time.sleep(0.1)
        second = run([*endless, "--resume"], environment)
        assert second.returncode == 2
        assert "Another run is writing" in second.stderr
    finally:
        first.kill()
        first.wait()


def test_full_disk_is_reported(flowers: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: photos fit, a checkpoint does not."""
    train = command(flowers, tmp_path / "run", "--epochs", "3")
    limited = run_program(["bash", "-c", 'ulimit -f 50000; exec "$@"', "bash", *PYTHON, *train], environment)
    assert limited.returncode == 2
    assert "The run stopped" in limited.stderr
    assert "--resume" in limited.stderr
    assert "Traceback" not in limited.stderr
    assert not list((tmp_path / "run").glob("*.part"))


@pytest.mark.parametrize("output", ["/proc/run", "{folder}/file/run"])
def test_folder_that_cannot_be_written_to_is_reported_at_once(
    output: str, flowers: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    result = run(command(flowers, Path(output.format(folder=tmp_path))), environment)
    assert result.returncode == 2
    assert "Nothing can be written into" in result.stderr
    assert "Choose another folder" in result.stderr
    assert "Traceback" not in result.stderr


def test_each_epoch_is_told_kept_and_given_to_trackers(
    flowers: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    result = run(command(flowers, tmp_path / "run", "--epochs", "2", "--log", "tensorboard"), environment)
    assert result.returncode == 0, result.stderr
    assert re.search(r"tulips +16 +2 +2\n", result.stderr)
    assert re.search(r"epoch 2/2.*validation loss \d.*\(best \d+\.\d% in epoch [12]\), 0:00:00 left", result.stderr)
    history = json.loads((tmp_path / "run" / "metrics.json").read_text())["history"]
    with (tmp_path / "run" / checkpoint.TABLE).open(newline="") as table:
        assert [{name: float(value) for name, value in row.items()} for row in csv.DictReader(table)] == history
    events = EventAccumulator(str(tmp_path / "run.log" / "flower_alexnet")).Reload()
    told = [(event.step, event.value) for event in events.Scalars("validation_loss")]
    assert told == [(row["epoch"], pytest.approx(row["validation_loss"])) for row in history]


@pytest.mark.parametrize(("name", "words"), [("wandb", "pip install wandb"), ("nonsense", "There are aim, comet_ml")])
def test_tracker_that_is_not_there_is_refused(
    name: str, words: str, flowers: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    result = run(command(flowers, tmp_path / "run", "--log", name), environment)
    assert result.returncode == 2
    assert words in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("photos", [True, False], ids=["decoded", "downloaded"])
def test_user_without_a_home_is_told_what_to_set(
    photos: bool, flowers: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    module = (
        command(flowers, tmp_path / "run")
        if photos
        else ["train", "alexnet-baseline", "--output", str(tmp_path / "run")]
    )
    homeless = {key: value for key, value in environment.items() if key not in ("XDG_CACHE_HOME", "FLOWER_PHOTOS")}
    result = run(module, {**homeless, "HOME": "/proc", "MPLCONFIGDIR": str(tmp_path)})
    assert result.returncode == 2
    last = result.stderr.splitlines()[-1]
    assert "Photos cannot be kept in /proc/.cache/flower_alexnet" in last
    assert "XDG_CACHE_HOME" in last
    assert "Traceback" not in result.stderr


def test_damaged_and_lost_photos_are_named_and_counted(
    flowers: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """One photo of each class is damaged; the test photos of one class are deleted during training."""
    data = tmp_path / "photos"
    shutil.copytree(flowers, data)
    for folder in data.iterdir():
        (folder / "7.jpg").write_bytes((folder / "7.jpg").read_bytes()[:100])
    train = command(data, tmp_path / "run", "--epochs", "2")
    process = start(train, environment, tmp_path / "run" / checkpoint.NAME)
    lost = [photo.path for photo in dataset.split(data)["test"] if photo.path.parent.name == "roses"]
    for path in lost:
        path.unlink()
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    for folder in data.iterdir():
        assert f"left out {folder / '7.jpg'}" in errors
    assert "of 80 photos cannot be read and are not trained on" in errors
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"]["photos"] <= 10 - len(lost)
    assert all(f"left out {path}" in errors for path in lost)


def test_killed_worker_is_reported(flowers: Path, environment: dict[str, str], tmp_path: Path) -> None:
    code = f"""
import os, sys, torch
from train import __main__, augment
torch.set_num_threads(4)  # as many cores, and so workers
parent, load = os.getpid(), augment.AugmentedPhotos.__getitem__
def die(photos, index):
    if os.getpid() != parent and photos.epoch == 1:
        os.kill(os.getpid(), 9)
    return load(photos, index)
augment.AugmentedPhotos.__getitem__ = die
sys.argv[1:] = {command(flowers, tmp_path / "run", "--epochs", "3")[1:]}
__main__.main()
"""
    result = run_program([sys.executable, "-c", code], environment)
    assert result.returncode == 2, result.stderr
    assert "The run stopped" in result.stderr
    assert "--resume" in result.stderr
    assert "Traceback" not in result.stderr
    assert run(command(flowers, tmp_path / "run", "--epochs", "3", "--resume"), environment).returncode == 0

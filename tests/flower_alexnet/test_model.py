"""AlexNet is the network of the blog post, and loads no weights but its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from flower_alexnet import AlexNet, Config, InvalidWeights, ModelNotFound
from flower_alexnet.model import check_weights

BLOG_POST = """\
AlexNet(
  (features): Sequential(
    (0): Conv2d(3, 48, kernel_size=(11, 11), stride=(4, 4), padding=(2, 2))
    (1): ReLU(inplace=True)
    (2): MaxPool2d(kernel_size=3, stride=2, padding=0, dilation=1, ceil_mode=False)
    (3): Conv2d(48, 128, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
    (4): ReLU(inplace=True)
    (5): MaxPool2d(kernel_size=3, stride=2, padding=0, dilation=1, ceil_mode=False)
    (6): Conv2d(128, 192, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    (7): ReLU(inplace=True)
    (8): Conv2d(192, 192, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    (9): ReLU(inplace=True)
    (10): Conv2d(192, 128, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    (11): ReLU(inplace=True)
    (12): MaxPool2d(kernel_size=3, stride=2, padding=0, dilation=1, ceil_mode=False)
  )
  (classifier): Sequential(
    (0): Dropout(p=0.5, inplace=False)
    (1): Linear(in_features=4608, out_features=2048, bias=True)
    (2): ReLU(inplace=True)
    (3): Dropout(p=0.5, inplace=False)
    (4): Linear(in_features=2048, out_features=2048, bias=True)
    (5): ReLU(inplace=True)
    (6): Linear(in_features=2048, out_features=5, bias=True)
  )
)"""
"""What ``print`` shows of the blog post's network."""


def test_network_is_that_of_the_blog_post_layer_for_layer() -> None:
    assert str(AlexNet()) == BLOG_POST


def test_network_has_14_6_million_parameters_under_the_names_of_the_blog_post() -> None:
    network = AlexNet()
    assert sum(parameter.numel() for parameter in network.parameters()) == 14_591_685
    names = [f"features.{i}.{kind}" for i in (0, 3, 6, 8, 10) for kind in ("weight", "bias")]
    names += [f"classifier.{i}.{kind}" for i in (1, 4, 6) for kind in ("weight", "bias")]
    assert list(network.state_dict()) == names


def test_batch_norm_follows_each_convolution_in_place_of_its_bias() -> None:
    network = AlexNet(batch_norm=True)
    layers = list(network.features)
    convolutions = [i for i, layer in enumerate(layers) if isinstance(layer, torch.nn.Conv2d)]
    assert len(convolutions) == 5
    assert all(layers[i].bias is None for i in convolutions)
    assert all(isinstance(layers[i + 1], torch.nn.BatchNorm2d) for i in convolutions)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("size", [63, 128, 224, 300])
def test_images_become_logits(batch_norm: bool, size: int) -> None:
    assert AlexNet(batch_norm=batch_norm).eval()(torch.zeros(2, 3, size, size)).shape == (2, 5)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_round_trip_keeps_the_weights_to_float16(
    batch_norm: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = AlexNet(batch_norm=batch_norm)
    network.save_pretrained(tmp_path, config=Config(batch_norm=batch_norm))
    again = AlexNet.from_pretrained(tmp_path)
    assert not again.training
    for name, tensor in network.state_dict().items():
        expected = tensor.half().float() if tensor.is_floating_point() else tensor
        assert torch.equal(again.state_dict()[name], expected), name
    stored = load_file(tmp_path / "model.safetensors").values()
    assert {tensor.dtype for tensor in stored if tensor.is_floating_point()} == {torch.float16}
    assert capsys.readouterr() == ("", "")


def damaged(folder: Path, to: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    """Copy a model folder and change its tensors."""
    shutil.copytree(folder, to, dirs_exist_ok=True)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, to / "model.safetensors")
    return to


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("classifier.6.bias"), "lacks classifier.6.bias"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), "holds extra"),
        (lambda tensors: tensors.update({"classifier.6.bias": torch.zeros(6)}), "has the shape"),
        (lambda tensors: tensors["classifier.6.bias"].fill_(torch.nan), "not finite"),
        (lambda tensors: tensors["features.0.weight"].view(-1)[7].fill_(torch.inf), "not finite"),
        (lambda tensors: tensors.update({"classifier.6.bias": torch.zeros(5, dtype=torch.int32)}), "type"),
    ],
)
def test_wrong_tensors_are_refused(
    random_model: Path, tmp_path: Path, change: Callable[[dict[str, Tensor]], object], message: str
) -> None:
    with pytest.raises(InvalidWeights, match=message):
        AlexNet.from_pretrained(damaged(random_model, tmp_path, change))


def test_cut_file_is_refused(random_model: Path, tmp_path: Path) -> None:
    shutil.copytree(random_model, tmp_path, dirs_exist_ok=True)
    weights = (random_model / "model.safetensors").read_bytes()
    for length in (0, 5, 1000, len(weights) // 2, len(weights) - 1):
        (tmp_path / "model.safetensors").write_bytes(weights[:length])
        with pytest.raises(InvalidWeights, match="damaged"):
            AlexNet.from_pretrained(tmp_path)
        with pytest.raises(InvalidWeights, match="damaged"):
            check_weights(tmp_path, Config())


def test_lfs_pointer_is_told_with_the_command_that_fetches_the_file(random_model: Path, tmp_path: Path) -> None:
    shutil.copytree(random_model, tmp_path, dirs_exist_ok=True)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 29186098\n"
    (tmp_path / "model.safetensors").write_text(pointer)
    for check in (AlexNet.from_pretrained, lambda folder: check_weights(folder, Config())):
        with pytest.raises(InvalidWeights, match=r"Git LFS pointer.*git lfs pull"):
            check(tmp_path)


def test_pickle_is_never_opened(random_model: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "exploded",)  # type: ignore[return-value]

    torch.save({"features.0.weight": Bomb()}, tmp_path / "pytorch_model.bin")
    shutil.copy(random_model / "config.json", tmp_path)
    with pytest.raises(ModelNotFound, match=r"no model\.safetensors"):
        AlexNet.from_pretrained(tmp_path)
    assert not (tmp_path / "exploded").exists()

"""How fast it is beside what a user would pick instead: python -m benchmarks.NAME prints a table."""

from flower_alexnet import torchvision_operators

torchvision_operators.declare_missing()  # before anything imports torchvision

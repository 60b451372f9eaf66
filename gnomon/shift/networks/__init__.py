"""Networks. One file is one family; the file's name is the part before the slash in `cifar10/resnet20`.

Each file defines `load(member, pictures, arguments) -> Subject`. Belongs here: architectures and where weights are.
"""

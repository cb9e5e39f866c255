"""What is asked of PyTorch itself: the options of its optimizers, and generator `torch`."""

"""Fast paths of ordinary arrays and tensors around the general path."""

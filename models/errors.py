"""What the models' floor raises; the floors above know what it means for a person."""


class RefusedModelError(Exception):
    """A model folder or its history that must not be used; the message says which file, what is wrong, and what to do."""

"""What the collections of tests/corpora/forum have in common: marks for sick and well programs."""


def collection():
    """``SICK`` and ``WELL``, name -> (function that makes the program, findings), and the
    decorators that fill them.
    """
    found = {}, {}

    def sick(*findings):
        """A program that is wrong, and the findings of which one must come first."""

        def keep(make):
            found[0][make.__name__] = (make, findings)
            return make

        return keep

    def well(make):
        """A program that only looks odd."""
        found[1][make.__name__] = (make, ())
        return make

    return *found, sick, well


def torch_program(model, x, y, loss, rate=1e-3, optimizer=None, **arguments):
    """What ``doctor.examine`` is given for a program in PyTorch; with Adam where no optimizer is
    named.
    """
    from torch.optim import Adam

    optimizer = optimizer or Adam(model.parameters(), lr=rate)
    return dict(model=model, batch=(x, y), loss=loss, optimizer=optimizer, **arguments)

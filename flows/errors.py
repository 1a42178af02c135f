"""What can go wrong, each with the exit code it ends a command with."""


class Failure(Exception):
    """A run that cannot go on. The message is one line and names what is concerned."""

    exit_code = 4


class TestsFailed(Failure):
    """Data tests failed: nothing is written back."""

    exit_code = 1


class WrongArgument(Failure):
    """An argument or setting that is not allowed."""

    exit_code = 2


class WriteBackHeld(Failure):
    """The marts are done, but it is not safe to write back."""

    exit_code = 3


class Infrastructure(Failure):
    """The database, or something else the run stands on, does not work."""

    exit_code = 4


class Busy(Failure):
    """Another refresh holds the lock."""

    exit_code = 5

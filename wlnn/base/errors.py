"""The one exception for mistakes a user can mend; it knows nothing of where it is raised."""


class UserError(ValueError):
    """Wrong input, told in one sentence that names the file, option or value and what to do.

    The command line prints the sentence and exits with status 2; library callers catch it as a
    ``ValueError``.

    Examples:
        >>> import wlnn
        >>> try:
        ...     wlnn.load_task("spirals")
        ... except wlnn.UserError as mistake:
        ...     print(mistake)
        there is no task 'spirals'; use one of spiral-classify, spiral-regress, ...
    """

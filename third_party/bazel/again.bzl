"""For repository rules that fetch something."""

def execute_again(rctx, arguments, timeout):
    """Like rctx.execute, but what fails is tried twice more, as networks fail now and then.

    Args:
      rctx: the repository's context.
      arguments: the command; it may find what a run that failed has left.
      timeout: seconds, for each.

    Returns:
      the result of the last.
    """
    result = None
    for pause_s in [0, 5, 30]:
        if pause_s:
            rctx.execute(["sleep", str(pause_s)])
        result = rctx.execute(arguments, timeout = timeout)
        if result.return_code == 0:
            break
    return result

"""The constraint solver, in a way that can be interrupted."""

from concurrent.futures import ThreadPoolExecutor, wait

from ortools.sat.python import cp_model

__all__ = ["solve"]

_AGAIN = 0.05  # seconds


def solve(model: cp_model.CpModel, seed: int,
          limit: float) -> tuple[cp_model.CpSolver, cp_model.CpSolverStatus]:
    """What one core finds in a limited time; the same for the same seed.

    Parameters
    ----------
    model : CpModel
    seed : int
    limit : float
        In the solver's units, about a second each.

    Returns
    -------
    CpSolver
        With the values, if there is a solution.
    CpSolverStatus
    """
    solver = cp_model.CpSolver()
    parameters = solver.parameters
    parameters.num_workers = 1
    parameters.random_seed = seed
    parameters.max_deterministic_time = limit
    # By itself the solver takes an interrupt for the end of its time, and nobody else hears of it.
    parameters.catch_sigint_signal = False
    # Python hears of signals in its main thread, and only while that is not in the solver.
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(solver.solve, model)
        try:
            return solver, future.result()
        except BaseException:
            while not future.done():
                solver.stop_search()
                wait((future,), _AGAIN)
            raise

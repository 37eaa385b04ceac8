"""pace.py - tests of what depends on the clock, on machines that stop now and then.

A timeout of 0.3 s and a margin of 0.3 s test the same thing as one of 8 s with a margin of 8 s;
the first pair is quick, the second holds where a busy machine stops for seconds.  A test whose
times are all multiples of `pace` runs at the quick pace, and only where that fails at slower
ones: a program that is wrong fails at each of them.
"""
import functools
import inspect

PACES = (1, 5, 25)
TRIES = 8


def try_with(test, ways):
    """Calls the test with each of these arguments in turn, until it passes with one."""
    takes = inspect.signature(test)

    @functools.wraps(test)
    def run(**fixtures):
        for n, way in enumerate(ways):
            try:
                return test(**way, **fixtures)
            except Exception as e:  # what a stop does to a test is not always a failed assertion
                if n + 1 == len(ways):
                    raise
                print(f"{way or n}: {type(e).__name__}: {e}")
                if "pooler" in fixtures:
                    fixtures["pooler"].close_all()
    run.__signature__ = takes.replace(
        parameters=[p for p in takes.parameters.values() if p.name not in ways[0]])
    return run


def at_some_pace(test):
    """Decorates a test that takes `pace` beside its fixtures."""
    return try_with(test, [{"pace": pace} for pace in PACES])


def undisturbed(test):
    """Decorates a test whose clients must not be held up in the middle of what they do, by as
    little as the fifth of a second that ends a burst of statements: it is done again."""
    return try_with(test, [{}] * TRIES)

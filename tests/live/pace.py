"""pace.py - tests of what depends on the clock, on machines that stop now and then.

A timeout of 0.3 s and a margin of 0.3 s test the same thing as one of 8 s with a margin of 8 s;
the first pair is quick, the second holds where a busy machine stops for seconds.  A test whose
times are all multiples of `pace` runs at the quick pace, and only where that fails at slower
ones: a program that is wrong fails at each of them.
"""
import functools
import inspect

PACES = (1, 5, 25)


def at_some_pace(test):
    """Decorates a test that takes `pace` beside its fixtures."""
    takes = inspect.signature(test)

    @functools.wraps(test)
    def run(**fixtures):
        for pace in PACES:
            try:
                return test(pace=pace, **fixtures)
            except Exception as e:  # what a stop does to a test is not always a failed assertion
                if pace == PACES[-1]:
                    raise
                print(f"at pace {pace}: {type(e).__name__}: {e}")
                if "pooler" in fixtures:
                    fixtures["pooler"].close_all()
    run.__signature__ = takes.replace(
        parameters=[p for p in takes.parameters.values() if p.name != "pace"])
    return run

"""Settings for the whole test suite."""

import os

from hypothesis import Phase, settings

from cslog.commands import register

# The suite gives the same answer every time it is run, here and in continuous integration: examples are
# derived from the test, not from a random seed. HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.register_profile("quick", deadline=None, phases=[phase for phase in Phase if phase.name != "shrink"])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

register()  # all commands, for the tests that look at the whole command line

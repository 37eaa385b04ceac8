"""run.py [PROCESSES [reverse]] - Django's own runner: a database of its own, made and dropped."""
import sys

import manage
from django.core.management import call_command

if __name__ == "__main__":
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    assert manage.settings.configured
    call_command("test", "shop", interactive=False, verbosity=0, parallel=processes, reverse="reverse" in sys.argv)

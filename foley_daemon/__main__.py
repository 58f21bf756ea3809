"""`python -m foley_daemon` is `foley`."""

from foley_daemon.cli import main

if __name__ == "__main__":
    main()

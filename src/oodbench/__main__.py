"""`python -m oodbench` is `oodbench`."""

from oodbench.run import main

if __name__ == "__main__":
    main()

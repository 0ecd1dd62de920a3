"""Operating the program: whether it can read, what is wrong with its installation, and what it has done."""

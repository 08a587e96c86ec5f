"""What anybody outside can call, and what runs with all rights: a table of it, held true."""

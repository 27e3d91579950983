"""What benches/run measures, a module a section, and what the sections share."""

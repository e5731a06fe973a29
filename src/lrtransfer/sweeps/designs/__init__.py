"""Designs: which runs a study begins with, and which it adds as it learns."""

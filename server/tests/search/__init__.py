"""Tests of search: filters, vectors, text."""

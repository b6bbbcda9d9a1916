"""Tests of the dense view."""

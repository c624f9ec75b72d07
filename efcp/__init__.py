"""EFCP, a control panel for OpenSIPS proxies."""

__version__ = "0.2.0"
